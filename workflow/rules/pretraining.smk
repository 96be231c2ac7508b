rule pretrain:
    input:
        needed("pretrain"),
    output:
        done("pretrain"),
    log:
        log_of("pretrain"),
    benchmark:
        benchmark_of("pretrain")
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("pretrain", "threads")
    resources:
        gpu=CONFIG.gpus_per_job,
        nodes=1,
        mem_mb=memory("pretrain"),
        runtime=minutes("pretrain"),
    params:
        python=PYTHON,
        job=jobs("pretrain"),
    shell:
        "{params.python:q} -m pipelines pretrain --job {params.job:q} --processes {resources.gpu} --nodes {resources.nodes}"
        " >> {log:q} 2>&1 && touch {output:q}"
