rule embed:
    input:
        records("embed"),
    output:
        record=JOBS / "embed/{key}/record.json",
        features=JOBS / "embed/{key}/features.safetensors",
    log:
        RESULTS / "logs/embed/{key}.log",
    conda:
        "../../conda_envs/train.yaml"
    resources:
        gpu=min(1, CONFIG.gpus_per_job),
        mem_mb=grows("embed", "mem_mb"),
        runtime=grows("embed", "minutes"),
    shell:
        "{PYTHON:q} -m pipelines embed --job {RESULTS:q}/jobs/embed/{wildcards.key:q} > {log:q} 2>&1"


rule evaluate:
    input:
        records("evaluate"),
    output:
        JOBS / "evaluate/{key}/record.json",
    log:
        RESULTS / "logs/evaluate/{key}.log",
    conda:
        "../../conda_envs/train.yaml"
    resources:
        mem_mb=grows("evaluate", "mem_mb"),
        runtime=grows("evaluate", "minutes"),
    shell:
        "{PYTHON:q} -m pipelines evaluate --job {RESULTS:q}/jobs/evaluate/{wildcards.key:q} > {log:q} 2>&1"
