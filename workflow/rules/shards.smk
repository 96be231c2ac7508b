rule shards:
    output:
        done("shards"),
    log:
        log_of("shards"),
    benchmark:
        benchmark_of("shards")
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("shards", "threads")
    resources:
        mem_mb=memory("shards"),
        runtime=minutes("shards"),
    params:
        python=PYTHON,
        job=jobs("shards"),
    shell:
        "{params.python:q} -m pipelines shards --job {params.job:q} --workers {threads}"
        " > {log:q} 2>&1 && touch {output:q}"
