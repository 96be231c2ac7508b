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
        python=PYTHON,
        results=lambda wildcards: str(RESULTS),
        folder=lambda wildcards: layout.study_folder(RESULTS, wildcards.study),
    shell:
        "{params.python:q} -m pipelines collect --plan {params.folder:q}/plan.json --results {params.results:q} --out {params.folder:q}"
        " > {log:q} 2>&1"
        " && {params.python:q} -m pipelines report --plan {params.folder:q}/plan.json --results {params.results:q} --out {params.folder:q}"
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
        python=PYTHON,
        results=lambda wildcards: str(RESULTS),
        file=lambda wildcards: FILES[wildcards.study],
    shell:
        "{params.python:q} -m pipelines tables {params.file:q} --results {params.results:q} > {log:q} 2>&1 && cat {log:q} && touch {output:q}"


rule one_paper:
    input:
        paper_tables(),
        [] if RUNS_NOTHING else wanted(),  # figures of the reports
    output:
        str(layout.marker(RESULTS, "paper", "paper")),
    log:
        str(layout.log_file(RESULTS, "paper", "paper")),
    localrule: True
    conda:
        "../../conda_envs/report.yaml"
    params:
        python=PYTHON,
        results=lambda wildcards: str(RESULTS),
        files=[FILES[name] for name, made in PLANS.items() if made.tables],
    shell:
        "{params.python:q} -m pipelines paper {params.files:q} --results {params.results:q} > {log:q} 2>&1 && cat {log:q} && touch {output:q}"
