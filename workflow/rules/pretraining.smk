rule pretrain:
    input:
        records("pretrain"),
    output:
        record=JOBS / "pretrain/{key}/record.json",
        weights=JOBS / "pretrain/{key}/encoder.safetensors",
    log:
        RESULTS / "logs/pretrain/{key}.log",
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("pretrain", "threads")
    resources:
        gpu=CONFIG.gpus_per_job,
        nodes=1,
        mem_mb=grows("pretrain", "mem_mb"),
        runtime=grows("pretrain", "minutes"),
    shell:
        "{PYTHON:q} -m pipelines pretrain --job {RESULTS:q}/jobs/pretrain/{wildcards.key:q} --processes {resources.gpu} --nodes {resources.nodes}"
        " >> {log:q} 2>&1"
