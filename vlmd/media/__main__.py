"""A decoder process: `python -m vlmd.media --link-fd N --parent PID`."""

from vlmd.lifeline import child

if __name__ == "__main__":
    link_fd = child("vlmd.media")
    from vlmd.media.decoder import main

    main(link_fd)
