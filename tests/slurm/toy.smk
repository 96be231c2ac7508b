# Three small jobs with the faults the tests switch on by making files: `broken` (always fails), `flaky` (once), `slow`
# (stands still, once), `hungry` (takes more memory than it asked for, once). What a retry asks for is decided as in the
# real rules.
from pipelines.launching.polling import look_often
from pipelines.launching.verdicts import grown

look_often()


rule reproduce_all:
    default_target: True
    input:
        "results/total.txt",


rule leaf:
    output:
        "results/leaf_{name}.txt",
    log:
        "logs/leaf_{name}.log",
    resources:
        gpu=1,
        mem_mb=grown("OUT_OF_MEMORY", "leaf", lambda wildcards: 1000),
        runtime=grown("TIMEOUT", "leaf", lambda wildcards: 1),
    shell:
        "if [ {wildcards.name} = b ] && [ -e broken ]; then date +%s > broken; echo the disk is full; exit 3; fi > {log} 2>&1;"
        " if [ {wildcards.name} = b ] && [ -e flaky ]; then rm flaky; exit 4; fi;"
        " if [ {wildcards.name} = b ] && [ -e slow ]; then rm slow; sleep 300; fi;"
        " if [ {wildcards.name} = b ] && [ -e hungry ]; then rm hungry; python3 -c 'bytes([1]) * 1_500_000_000'; exit; fi;"
        " echo $SLURM_JOB_ID > {output}"


rule total:
    input:
        expand("results/leaf_{name}.txt", name=["a", "b"]),
    output:
        "results/total.txt",
    log:
        "logs/total.log",
    shell:
        "echo $SLURM_JOB_ID > {output} 2> {log}"
