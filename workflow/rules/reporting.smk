rule collect:
    input:
        study_records,
    output:
        csv=RESULTS / "{study}/records.csv",
        parquet=RESULTS / "{study}/records.parquet",
    log:
        RESULTS / "logs/collect/{study}.log",
    conda:
        "../../conda_envs/report.yaml"
    params:
        plan=plan_digest,
    shell:
        "{PYTHON:q} -m pipelines collect --plan {RESULTS:q}/{wildcards.study:q}/plan.json --results {RESULTS:q}"
        " --out {RESULTS:q}/{wildcards.study:q} > {log:q} 2>&1"


rule report:
    input:
        RESULTS / "{study}/records.csv",
    output:
        RESULTS / "{study}/report.html",
    log:
        RESULTS / "logs/report/{study}.log",
    conda:
        "../../conda_envs/report.yaml"
    params:
        plan=plan_digest,
    shell:
        "{PYTHON:q} -m pipelines report --plan {RESULTS:q}/{wildcards.study:q}/plan.json --results {RESULTS:q}"
        " --out {RESULTS:q}/{wildcards.study:q} > {log:q} 2>&1"
