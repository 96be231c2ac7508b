rule evaluate:
    input:
        needed("evaluate"),
    output:
        done("evaluate"),
    log:
        log_of("evaluate"),
    benchmark:
        benchmark_of("evaluate")
    conda:
        "../../conda_envs/train.yaml"
    threads: asks("evaluate", "threads")
    resources:
        gpu=processes("evaluate"),
        nodes=1,
        mem_mb=memory("evaluate"),
        runtime=minutes("evaluate"),
    params:
        python=PYTHON,
        job=jobs("evaluate"),
    shell:
        "{params.python:q} -m pipelines evaluate --job {params.job:q} --processes {resources.gpu} --nodes {resources.nodes}"
        " >> {log:q} 2>&1 && touch {output:q}"
