/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests on machines without a GPU.

   VLMD_STUB_GPUS    how many GPUs there are (default 1)
   VLMD_STUB_GIB     memory of each (default 24)
   VLMD_STUB_CAPABILITY  ten times the compute capability of each; not told by default
   VLMD_STUB_MIG     number of the one GPU that is in MIG mode
   VLMD_STUB_HANG    name of a function that never returns
   VLMD_STUB_ERRORS  "FUNCTION=CODE,FUNCTION@GPU=CODE,…": functions that fail, on every GPU or on one
   VLMD_STUB_STATE   folder of what may change while a process looks; a file that is not there changes nothing:
       lost.GPU        the GPU has gone
       free.GPU        free bytes
       processes.GPU   lines "PID BYTES"
       ecc.GPU         count of uncorrectable errors
       remap.GPU       "PENDING FAILED", 0 or 1 each
       xids            lines "GPU XID", each of which becomes one event
       slowed.GPU      bits of why its clocks are held down */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_FOUND = 6,
    NOT_SUPPORTED = 3,
    INSUFFICIENT_SIZE = 7,
    TIMEOUT = 10,
    GPU_IS_LOST = 15,
    NO_GPU = -1
};

typedef void *Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
} Pci;

typedef struct { unsigned pid; unsigned long long bytes; unsigned gpu_instance, compute_instance; } Process;
typedef struct { Device device; unsigned long long type, data; unsigned gpu_instance, compute_instance; } Event;

static int initialised;

static int number(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value && *value ? atoi(value) : otherwise;
}

static int count(void) { return number("VLMD_STUB_GPUS", 1); }

static int index_of(Device device) { return (int)(size_t)device - 1; }

/* A file of the state folder, NULL if it is not there; "NAME.GPU" unless `gpu` is NO_GPU. */
static FILE *state(const char *name, int gpu) {
    const char *folder = getenv("VLMD_STUB_STATE");
    char path[4096];
    if (!folder) return NULL;
    if (gpu == NO_GPU) snprintf(path, sizeof path, "%s/%s", folder, name);
    else snprintf(path, sizeof path, "%s/%s.%d", folder, name, gpu);
    return fopen(path, "r");
}

static unsigned long long state_number(const char *name, int gpu, unsigned long long otherwise) {
    FILE *file = state(name, gpu);
    unsigned long long value = otherwise;
    if (file) {
        if (fscanf(file, "%llu", &value) != 1) value = otherwise;
        fclose(file);
    }
    return value;
}

static int lost(int gpu) {
    FILE *file = gpu == NO_GPU ? NULL : state("lost", gpu);
    if (file) fclose(file);
    return file != NULL;
}

/* Hang, or the error this function shall return; `gpu` may be NO_GPU. */
static int verdict(const char *function, int gpu) {
    const char *hang = getenv("VLMD_STUB_HANG"), *errors = getenv("VLMD_STUB_ERRORS");
    char everywhere[96], here[96];
    if (hang && strcmp(hang, function) == 0)
        for (;;) pause();
    snprintf(everywhere, sizeof everywhere, "%s", function);
    snprintf(here, sizeof here, "%s@%d", function, gpu);
    while (errors && *errors) {
        size_t name = strcspn(errors, "=,");
        if ((name == strlen(everywhere) && !strncmp(errors, everywhere, name)) ||
            (name == strlen(here) && !strncmp(errors, here, name)))
            return atoi(errors + name + 1);
        errors += strcspn(errors, ",");
        errors += *errors == ',';
    }
    return SUCCESS;
}

#define CHECK(gpu) \
    do { \
        int code = verdict(__func__, gpu); \
        if (code) return code; \
        if (!initialised) return UNINITIALIZED; \
        if (lost(gpu)) return GPU_IS_LOST; \
    } while (0)

static void write_uuid(int gpu, char *uuid, unsigned size) {
    snprintf(uuid, size, "GPU-%08x-2222-3333-4444-%012x", (unsigned)(gpu + 1) * 0x11111111u, gpu);
}

int nvmlInitWithFlags(unsigned flags) {
    int code = verdict("nvmlInit_v2", NO_GPU);
    (void)flags;
    if (!code) initialised++;
    return code;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    CHECK(NO_GPU);
    initialised--;
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    static char text[64];
    snprintf(text, sizeof text, "stub error %d", code);
    return text;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    CHECK(NO_GPU);
    snprintf(version, size, "999.1");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *devices) {
    CHECK(NO_GPU);
    *devices = (unsigned)count();
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *device) {
    CHECK((int)index);
    if ((int)index >= count()) return INVALID_ARGUMENT;
    *device = (Device)(size_t)(index + 1);
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device *device) {
    CHECK(NO_GPU);
    for (int gpu = 0; gpu < count(); gpu++) {
        char own[96];
        write_uuid(gpu, own, sizeof own);
        if (strcmp(own, uuid) == 0) {
            *device = (Device)(size_t)(gpu + 1);
            return lost(gpu) ? GPU_IS_LOST : verdict(__func__, gpu);
        }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetIndex(Device device, unsigned *index) {
    CHECK(index_of(device));
    *index = (unsigned)index_of(device);
    return SUCCESS;
}

int nvmlDeviceGetUUID(Device device, char *uuid, unsigned size) {
    CHECK(index_of(device));
    write_uuid(index_of(device), uuid, size);
    return SUCCESS;
}

int nvmlDeviceGetName(Device device, char *name, unsigned size) {
    CHECK(index_of(device));
    snprintf(name, size, "NVIDIA Stub %d", index_of(device));
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device device, Memory *memory) {
    CHECK(index_of(device));
    memory->total = (unsigned long long)number("VLMD_STUB_GIB", 24) << 30;
    memory->used = (unsigned long long)(index_of(device) + 1) << 30;
    memory->free = state_number("free", index_of(device), memory->total - memory->used);
    memory->used = memory->total - memory->free;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(Device device, Memory2 *memory) {
    Memory plain;
    CHECK(index_of(device));
    nvmlDeviceGetMemoryInfo(device, &plain);
    memory->total = plain.total;
    memory->reserved = 0;
    memory->used = plain.used;
    memory->free = plain.free;
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(Device device, int *major, int *minor) {
    int capability = number("VLMD_STUB_CAPABILITY", 0);
    CHECK(index_of(device));
    *major = capability / 10;
    *minor = capability % 10;
    return capability ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetUtilizationRates(Device device, Utilization *utilization) {
    CHECK(index_of(device));
    utilization->gpu = 40 + (unsigned)index_of(device);
    utilization->memory = 10;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device device, int sensor, unsigned *celsius) {
    CHECK(index_of(device));
    (void)sensor;
    *celsius = 50 + (unsigned)index_of(device);
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(Device device, Pci *pci) {
    CHECK(index_of(device));
    memset(pci, 0, sizeof *pci);
    pci->bus = (unsigned)index_of(device) + 1;
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", pci->bus);
    return SUCCESS;
}

int nvmlDeviceGetMigMode(Device device, unsigned *current, unsigned *pending) {
    CHECK(index_of(device));
    *current = *pending = index_of(device) == number("VLMD_STUB_MIG", NO_GPU);
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned *count, Process *processes) {
    CHECK(index_of(device));
    FILE *file = state("processes", index_of(device));
    unsigned room = processes ? *count : 0, found = 0;
    Process one = {0, 0, 0, 0};
    while (file && fscanf(file, "%u %llu", &one.pid, &one.bytes) == 2) {
        if (found < room) processes[found] = one;
        found++;
    }
    if (file) fclose(file);
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned size) {
    CHECK(NO_GPU);
    snprintf(name, size, "/usr/bin/program-%u --flag", pid);
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(Device device, int type, int counter, unsigned long long *errors) {
    CHECK(index_of(device));
    *errors = type == 1 && counter == 0 ? state_number("ecc", index_of(device), 0) : 0;
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(Device device, unsigned *correctable, unsigned *uncorrectable, unsigned *pending,
                              unsigned *failed) {
    CHECK(index_of(device));
    FILE *file = state("remap", index_of(device));
    *correctable = *uncorrectable = *pending = *failed = 0;
    if (file) {
        if (fscanf(file, "%u %u", pending, failed) != 2) *pending = *failed = 0;
        fclose(file);
    }
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long *reasons) {
    CHECK(index_of(device));
    *reasons = state_number("slowed", index_of(device), 0);
    return SUCCESS;
}

/* One set of events is all there is; it holds the GPUs that were registered. */
static unsigned registered;
static long heard;

int nvmlEventSetCreate(void **set) {
    CHECK(NO_GPU);
    registered = 0;
    *set = &registered;
    return SUCCESS;
}

int nvmlEventSetFree(void *set) {
    (void)set;
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(Device device, unsigned long long types, void *set) {
    CHECK(index_of(device));
    (void)set;
    (void)types;
    registered |= 1u << index_of(device);
    return SUCCESS;
}

static int next_event(Event *event) {
    FILE *file = state("xids", NO_GPU);
    int gpu = 0, found = 0;
    if (!file) return 0;
    fseek(file, heard, SEEK_SET);
    while (!found && fscanf(file, "%d %llu\n", &gpu, &event->data) == 2) found = registered >> gpu & 1;
    heard = ftell(file);
    fclose(file);
    event->device = (Device)(size_t)(gpu + 1);
    event->type = 8;
    return found;
}

int nvmlEventSetWait_v2(void *set, Event *event, unsigned timeout_ms) {
    CHECK(NO_GPU);
    (void)set;
    memset(event, 0, sizeof *event);
    for (unsigned waited = 0; waited < timeout_ms; waited += 20) {
        if (next_event(event)) return SUCCESS;
        usleep(20000);
    }
    return TIMEOUT;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    CHECK(NO_GPU);
    *version = 12040;
    return SUCCESS;
}
