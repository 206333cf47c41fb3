# Theory as a line, simulation as points.
rule figure:
    input:
        "results/data/{study}.nc",
    output:
        png=report(
            "results/figures/{study}.png",
            category="Figures",
            caption="captions/figure.rst",
            labels={"study": "{study}"},
        ),
        pdf="results/figures/{study}.pdf",
    log:
        "results/logs/figure/{study}.log",
    benchmark:
        "results/benchmarks/figure/{study}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        block=lambda wildcards: PLAN.block(wildcards.study),
        sources=lambda wildcards: PLAN.sources(wildcards.study, "figure"),
    shell:
        "python -m simnn figure --study {wildcards.study}"
        " --parameters {params.block:q} --dataset {input:q} -o {output.png:q} 2> {log:q}"
