"""Hooks: a command or a webhook is told of every job that is done, or has failed; at least once, and in no hurry.

hooks      takes notices that are due, marks what became of them
retry      when a notice is tried again; pure
document   what a hook is told, as JSON
command    telling a command
webhook    telling a server, with a signature
"""
