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
