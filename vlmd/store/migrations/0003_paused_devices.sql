-- Devices that were sent to rest, by UUID (a GPU) or name; they stay so over a restart, until they are resumed.
CREATE TABLE paused_devices (device TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT;
