# Raw images to report. `snakemake --profile local` on one machine, `snakemake --profile slurm` on a cluster.
from snakemake.utils import min_version

min_version("9.27")


configfile: "workflow/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/pretraining.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/reporting.smk"


rule reproduce_all:
    default_target: True
    input:
        wanted(),


rule reproduce_claims:
    input:
        wanted(),


rule tables:
    input:
        tables(),


rule paper:
    input:
        layout.marker(RESULTS, "paper", "paper"),


onstart:
    start()


onsuccess:
    finish(failed=False)


onerror:
    finish(failed=True)
