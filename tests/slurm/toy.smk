# Four small jobs with the faults the tests switch on by making files: `broken` (always fails), `flaky` (once).
rule reproduce_all:
    input:
        "results/total.txt",
    default_target: True


rule leaf:
    output:
        "results/leaf_{name}.txt",
    log:
        "logs/leaf_{name}.log",
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
    shell:
        "if [ {wildcards.name} = b ] && [ -e broken ]; then date +%s > broken; echo the disk is full; exit 3; fi > {log} 2>&1;"
        " if [ {wildcards.name} = b ] && [ -e flaky ]; then rm flaky; exit 4; fi;"
        " echo $SLURM_JOB_ID {resources.mem_mb} > {output}"


rule total:
    input:
        expand("results/leaf_{name}.txt", name=["a", "b"]),
    output:
        "results/total.txt",
    log:
        "logs/total.log",
    shell:
        "echo $SLURM_JOB_ID > {output} 2> {log}"
