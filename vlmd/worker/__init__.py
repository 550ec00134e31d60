"""The process that holds a model: loads it once, stays resident, answers windows in batches.

The only package that imports torch and transformers. It knows neither store nor config file: messages tell it
everything.

    process    its life: link, threads, exit
    leases     from a lease to windows with their pictures, decoded ahead of the model
    batching   which windows are answered together
    room       how many windows that may be: planned for the memory that is free, measured, corrected
    figures    what a checkpoint takes, from its configuration alone; a program of its own, too
    engine     a resident model: loaded once, asked batch by batch
    generation/  how its answers are generated: greedily, drawn, by beams
    models/    one file a family, found by architecture name
"""
