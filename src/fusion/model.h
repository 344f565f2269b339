/* model.h - a fusion as it is kept in a file and asked about clips. */
#ifndef EMS_FUSION_MODEL_H
#define EMS_FUSION_MODEL_H
#include "fusion/net.h"

enum { EMS_FUSION_GENRE_NAME = 32, EMS_FUSION_ID = 65,
       EMS_FUSION_BYTES = 1 << 29 };

typedef struct ems_fusion {
    ems_fusion_shape shape;
    ems_fusion_params params;
    float *block;        /* of params */
    size_t floats;
    float *mean[EMS_FUSION_EXPERTS], *unit[EMS_FUSION_EXPERTS]; /* [dim] */
    float *scales;       /* their block */
    char id[EMS_FUSION_EXPERTS][EMS_FUSION_ID]; /* of the experts it learned
                                                   from; "": anybody's */
    char genre[EMS_FUSION_GENRES][EMS_FUSION_GENRE_NAME];
    float deviation[2];  /* of valence and arousal: what held-out clips were
                            off by; 0: not measured */
} ems_fusion;

/* Weights 0, scales mean 0 and unit 1. */
ems_fusion *ems_fusion_new(const ems_fusion_shape *s, ems_error *err);
ems_fusion *ems_fusion_load(const char *path, ems_error *err);
/* From a safetensors file in memory; `name` is for errors. */
ems_fusion *ems_fusion_parse(const void *data, size_t size, const char *name,
                             ems_error *err);
int ems_fusion_save(const ems_fusion *f, const char *path,
                    const char *made_of, ems_error *err);
void ems_fusion_free(ems_fusion *f);
ems_fusion_net ems_fusion_net_of(const ems_fusion *f);

/* What an expert at hand calls itself. */
typedef struct ems_fusion_offer {
    const char *name, *id; /* id: SHA-256 of network and manifest */
    size_t dim;
} ems_fusion_offer;

/* Which of `offers` is expert e of the fusion: place[e], SIZE_MAX for none.
 * EMS_EFORMAT where one has the name but is another expert, and where not a
 * single one is there. `name`: of the fusion, for the sentence. */
int ems_fusion_match(const ems_fusion *f, const char *name,
                     const ems_fusion_offer *offers, size_t count,
                     size_t place[EMS_FUSION_EXPERTS], ems_error *err);

/* What a fusion says of a clip. Heads that it lacks: NaN. */
typedef struct ems_fusion_said {
    float emotion[EMS_EKMAN]; /* probabilities */
    float affect[2];          /* in [-1,1] */
    float genre[EMS_FUSION_GENRES]; /* probabilities, each for itself */
} ems_fusion_said;

/* Rate `count` clips. */
int ems_fusion_rate(const ems_fusion *f, const ems_clip *clips, size_t count,
                    ems_fusion_said *said, ems_error *err);
#endif
