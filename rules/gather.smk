# Cells of a study become one dataset, with theory beside the measurements.
rule gather:
    input:
        lambda wildcards: [
            f"results/data/{wildcards.study}/{cell}.nc" for cell in PLAN.cells[wildcards.study]
        ],
    output:
        "results/data/{study}.nc",
    log:
        "results/logs/gather/{study}.log",
    benchmark:
        "results/benchmarks/gather/{study}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        block=lambda wildcards: PLAN.block(wildcards.study),
        sources=lambda wildcards: PLAN.sources(wildcards.study, "gather"),
    shell:
        "NUMBA_NUM_THREADS={threads} python -m simnn gather --study {wildcards.study}"
        " --parameters {params.block:q} --folder results/data/{wildcards.study} -o {output:q} 2> {log:q}"
