"""The live screen, without the loop that feeds it (`vlmd.cli.top`).

frame      what one frame says: plain data, made of what the daemon answered
seen       the answers of late, read as events or texts
problems   everything that is wrong, with its reason and what helps
cells      text cut to a width, bars, times and numbers
grid       columns that do not move
states     their colours
header     the two lines at the top
sections   problems, devices, jobs, what was seen: each as lines
screen     how many lines each gets; the whole
picture    one frame as SVG
keys       single keys from a terminal, and the terminal as it was

Whatever a model, a file or the daemon wrote goes through `core.names.shown` and ends as `rich.text.Text`, never markup.
"""
