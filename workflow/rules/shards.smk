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
        "{PYTHON} -m pipelines shards --job {RESULTS}/jobs/shards/{wildcards.key} > {log} 2>&1"
