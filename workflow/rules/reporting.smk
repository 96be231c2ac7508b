rule report:
    input:
        lambda wildcards: markers(PENDING.of_plan(PLANS[wildcards.study])),
    output:
        str(layout.marker(RESULTS, "report", "{study}")),
    log:
        str(layout.log_file(RESULTS, "report", "{study}")),
    conda:
        "../../conda_envs/report.yaml"
    params:
        folder=lambda wildcards: layout.study_folder(RESULTS, wildcards.study),
    shell:
        "{PYTHON:q} -m pipelines collect --plan {params.folder:q}/plan.json --results {RESULTS:q} --out {params.folder:q}"
        " > {log:q} 2>&1"
        " && {PYTHON:q} -m pipelines report --plan {params.folder:q}/plan.json --results {RESULTS:q} --out {params.folder:q}"
        " >> {log:q} 2>&1 && touch {output:q}"


rule study_tables:
    input:
        lambda wildcards: markers(PENDING.of_plan(PLANS[wildcards.study])),
    output:
        str(layout.marker(RESULTS, "tables", "{study}")),
    log:
        str(layout.log_file(RESULTS, "tables", "{study}")),
    localrule: True
    conda:
        "../../conda_envs/report.yaml"
    params:
        file=lambda wildcards: FILES[wildcards.study],
    shell:
        "{PYTHON:q} -m pipelines tables {params.file:q} --results {RESULTS:q} > {log:q} 2>&1 && cat {log:q} && touch {output:q}"


rule one_paper:
    input:
        tables(),
        [] if RUNS_NOTHING else wanted(),  # figures of the reports
    output:
        str(layout.marker(RESULTS, "paper", "paper")),
    log:
        str(layout.log_file(RESULTS, "paper", "paper")),
    localrule: True
    conda:
        "../../conda_envs/report.yaml"
    params:
        files=[FILES[name] for name, made in PLANS.items() if made.tables],
    shell:
        "{PYTHON:q} -m pipelines paper {params.files:q} --results {RESULTS:q} > {log:q} 2>&1 && cat {log:q} && touch {output:q}"
