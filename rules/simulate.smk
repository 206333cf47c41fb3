# One job for each combination of values of the `jobs` axes; grid axes and trials run inside.
rule simulate:
    output:
        "results/data/{study}/{cell}.nc",
    log:
        "results/logs/simulate/{study}/{cell}.log",
    benchmark:
        "results/benchmarks/simulate/{study}/{cell}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=lambda wildcards: int(PLAN.blocks[wildcards.study]["parameters"]["backend"].startswith("cuda")),
    params:
        cell=lambda wildcards: PLAN.cells[wildcards.study][wildcards.cell].specification,
        sources=lambda wildcards: PLAN.sources(wildcards.study, "simulate"),
    shell:
        "NUMBA_NUM_THREADS={threads} python -m simnn cell"
        " --parameters {params.cell:q} -o {output:q} 2> {log:q}"
