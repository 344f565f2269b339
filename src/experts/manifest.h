/* manifest.h - manifest.json of an expert: what its network wants to see or
 * hear, and what of its answer counts. docs/FORMATS.md has every key. */
#ifndef EMS_MANIFEST_H
#define EMS_MANIFEST_H
#include "base/error.h"
#include "experts/ort.h"

enum { EMS_EXPERT_OUTPUTS = 16, EMS_EXPERT_STATES = 4, EMS_EXPERT_SIDE = 2048,
       EMS_EXPERT_COLUMNS = 16384, EMS_EXPERT_LABELS = 4096 };

typedef enum ems_expert_kind {
    EMS_EXPERT_FRAME, EMS_EXPERT_FACE, EMS_EXPERT_BODY, EMS_EXPERT_SOUND,
    EMS_EXPERT_SPEECH, EMS_EXPERT_TEXT,
    EMS_EXPERT_DETECTOR, /* finds the faces for the others */
    EMS_EXPERT_KINDS,
} ems_expert_kind;

extern const char *const ems_expert_kinds[EMS_EXPERT_KINDS];

typedef enum ems_fit { /* a picture of another shape */
    EMS_FIT_CROP,    /* the middle */
    EMS_FIT_PAD,     /* all of it, bars of black */
    EMS_FIT_STRETCH,
} ems_fit;

typedef enum ems_pool { /* of all values that share the last (channels last) */
    EMS_POOL_NONE, EMS_POOL_MEAN, EMS_POOL_MAX,
    EMS_POOL_FIRST,  /* the first place alone, such as a class token */
} ems_pool;

typedef struct ems_network_file {
    char *path;      /* inside the expert's folder */
    char sha256[65];
} ems_network_file;

typedef struct ems_picture_input {
    int width, height, channels; /* 3 or 1 (grey) */
    int first, bgr;      /* channels first (NCHW); blue, green, red */
    ems_tensor_type type;
    ems_fit fit;
    double low, high;    /* what 0 and 255 become ... */
    double mean[3], std[3]; /* ... before (x - mean) / std */
} ems_picture_input;

typedef struct ems_sound_input {
    int rate;            /* Hz */
    size_t window, hop;  /* samples */
    double scale;        /* what a sample of 1 becomes */
    int rank;            /* 1 [S], 2 [N,S], 3 [N,1,S] */
    ems_network_file front; /* network between sound and network; path NULL:
                               none */
    double front_scale, front_offset; /* of what it gives */
    int64_t front_dims[EMS_TENSOR_RANK]; /* its answer, read as this */
    int front_rank;
} ems_sound_input;

typedef struct ems_state { /* an output that becomes an input of the next run */
    char *in, *out;
    int rank;
    int64_t dims[EMS_TENSOR_RANK];
} ems_state;

typedef struct ems_expert_output {
    char *name;        /* NULL: the network's only output */
    ems_pool pool;
    int first;         /* channels stand before height and width */
    size_t dim;
    size_t label_count; /* dim, or 0 */
    char **labels;
} ems_expert_output;

typedef struct ems_manifest {
    char *name, *what, *licence, *source;
    ems_expert_kind kind;
    ems_network_file network;
    char *input;       /* its name; NULL: the network's only input */
    ems_picture_input picture;
    ems_sound_input sound;
    double every;      /* seconds between two pictures */
    int batch;         /* pictures or windows in one run; 1..64 */
    int faces;         /* of the largest faces; 1..8 */
    double margin;     /* a face's square is this much larger than its box */
    char *constant;    /* an input that always holds this whole number; NULL */
    int64_t constant_value;
    size_t state_count;
    ems_state states[EMS_EXPERT_STATES];
    size_t output_count;
    ems_expert_output outputs[EMS_EXPERT_OUTPUTS];
    double shift, scale; /* (x - shift) * scale of every value */
    size_t dim;          /* sum over the outputs */
} ems_manifest;

/* From memory; `name` stands for the file in errors (EMS_EFORMAT). */
ems_manifest *ems_manifest_parse(const char *data, size_t size,
                                 const char *name, ems_error *err);
void ems_manifest_free(ems_manifest *m);
#endif
