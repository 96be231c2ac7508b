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
        "{config[python]} -m pipelines collect --plan {config[results]}/{wildcards.study}/plan.json --results {config[results]}"
        " --out {config[results]}/{wildcards.study} > {log} 2>&1"


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
        "{config[python]} -m pipelines report --plan {config[results]}/{wildcards.study}/plan.json --results {config[results]}"
        " --out {config[results]}/{wildcards.study} > {log} 2>&1"
