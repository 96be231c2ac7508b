rule shards:
    output:
        done("shards"),
    log:
        log_of("shards"),
    conda:
        "../../conda_envs/train.yaml"
    resources:
        mem_mb=memory("shards"),
        runtime=minutes("shards"),
    params:
        job=jobs("shards"),
    shell:
        "{PYTHON:q} -m pipelines shards --job {params.job:q} > {log:q} 2>&1 && touch {output:q}"
