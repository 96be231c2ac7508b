rule tune:
    input:
        needed("tune"),
    output:
        str(layout.marker(RESULTS, "tune-worker", "{unit}.{worker}")),
    log:
        str(layout.log_file(RESULTS, "tune", "{unit}-{worker}")),
    benchmark:
        str(layout.benchmark_file(RESULTS, "tune", "{unit}-{worker}"))
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("tune", "threads")
    resources:
        gpu=min(1, CONFIG.gpus_per_job),
        mem_mb=memory("tune"),
        runtime=minutes("tune"),
    params:
        python=PYTHON,
        job=jobs("tune"),
        of=lambda wildcards: workers(wildcards.unit),
    shell:
        "{params.python:q} -m pipelines tune --job {params.job:q} --worker {wildcards.worker} --of {params.of}"
        " > {log:q} 2>&1 && touch {output:q}"


rule tune_best:
    input:
        lambda wildcards: [
            layout.marker(RESULTS, "tune-worker", f"{wildcards.unit}.{worker}")
            for worker in range(workers(wildcards.unit))
        ],
    output:
        done("tune"),
    log:
        str(layout.log_file(RESULTS, "tune", "{unit}-best")),
    conda:
        "../../conda_envs/train.yaml"
    params:
        python=PYTHON,
        job=jobs("tune"),
    shell:
        "{params.python:q} -m pipelines tune --job {params.job:q} --close > {log:q} 2>&1 && touch {output:q}"
