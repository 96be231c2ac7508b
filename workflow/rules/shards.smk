rule shards:
    output:
        JOBS / "shards/{key}/record.json",
    log:
        RESULTS / "logs/shards/{key}.log",
    conda:
        "../../conda_envs/train.yaml"
    resources:
        mem_mb=grows("shards", "mem_mb"),
        runtime=grows("shards", "minutes"),
    shell:
        "{PYTHON:q} -m pipelines shards --job {RESULTS:q}/jobs/shards/{wildcards.key:q} > {log:q} 2>&1"
