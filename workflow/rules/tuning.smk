rule tune:
    input:
        records("tune"),
    output:
        JOBS / "tune/{key}/worker-{worker}.json",
    log:
        RESULTS / "logs/tune/{key}-{worker}.log",
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("tune", "threads")
    resources:
        gpu=min(1, CONFIG.gpus_per_job),
        mem_mb=grows("tune", "mem_mb"),
        runtime=grows("tune", "minutes"),
    params:
        of=lambda wildcards: len(workers(wildcards)),
    shell:
        "{PYTHON:q} -m pipelines tune --job {RESULTS:q}/jobs/tune/{wildcards.key:q} --worker {wildcards.worker:q} --of {params.of}"
        " > {log:q} 2>&1"


rule tune_best:
    input:
        workers,
    output:
        record=JOBS / "tune/{key}/record.json",
        best=JOBS / "tune/{key}/best.json",
    log:
        RESULTS / "logs/tune/{key}-best.log",
    conda:
        "../../conda_envs/train.yaml"
    shell:
        "{PYTHON:q} -m pipelines tune --job {RESULTS:q}/jobs/tune/{wildcards.key:q} --close > {log:q} 2>&1"
