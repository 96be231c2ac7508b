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
        "{PYTHON} -m pipelines collect --plan {RESULTS}/{wildcards.study}/plan.json --results {RESULTS}"
        " --out {RESULTS}/{wildcards.study} > {log} 2>&1"


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
        "{PYTHON} -m pipelines report --plan {RESULTS}/{wildcards.study}/plan.json --results {RESULTS}"
        " --out {RESULTS}/{wildcards.study} > {log} 2>&1"
