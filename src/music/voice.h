/* voice.h - one piece on its way: what the model has been told, what may come
 * next, what has come. Several voices may work at one plan side by side; they
 * differ in their random numbers alone. */
#ifndef EMS_VOICE_H
#define EMS_VOICE_H
#include "music/clock.h"
#include "music/critic.h"
#include "music/guide.h"
#include "music/infer.h"
#include "music/mood.h"
#include "music/piece.h"
#include "music/plan.h"
#include "music/sampler.h"
#include "music/theme.h"
#include "music/tokens.h"

typedef struct ems_brief_part { /* compose a part of the film only */
    ems_stretch span;        /* from bar line to bar line */
    const ems_metre *metre;  /* of the whole film */
    const ems_piece *before; /* its notes before the span are there already */
    unsigned silent;         /* families that shall not play, bits */
    uint64_t stream;         /* of random numbers */
} ems_brief_part;

typedef struct ems_brief { /* what all voices of a plan share */
    const ems_plan *plan;
    const ems_compose_options *options;
    double top_p;        /* theirs, or what suits the way of composing */
    int led;             /* to hits, by the guide */
    int metred;          /* and in bars that are planned */
    ems_net *net;
    ems_pool *pool;
    ems_metre metre;     /* exact mode only */
    ems_clock clock;     /* likewise; without bars one second is one */
    double *hits;        /* the plan's, and the ending, in the film */
    double *marks;       /* the same in the time that the model lives in:
                            score time where bars are planned, else the
                            film's */
    size_t hit_count;
    double end;          /* of the film, in that time */
    int ending;
    const ems_brief_part *part; /* NULL: the whole film */
    size_t window, hop;  /* song tokens that fit; dropped when full */
} ems_brief;

typedef struct ems_voice {
    const ems_brief *brief;
    ems_session *session;
    ems_session *plain;  /* knows no emotion and, unless the guide leads to
                            them, no boundaries; NULL without guidance */
    ems_piece *piece;
    ems_token_decoder decoder;
    ems_sampler sampler;
    ems_guide guide;
    ems_mood mood;       /* where the guide leads */
    ems_theme theme;     /* likewise */
    ems_boundaries bounds;
    uint8_t *served;
    uint16_t *tokens;    /* instrument count, then the song's last ones */
    float *seconds;      /* beside each; [0] repeats [1] */
    float *far;          /* as many, of no boundary near; NULL: not needed */
    size_t count;        /* song tokens kept */
    ems_affect_point told; /* to the model, last */
    ems_affect_point read; /* when it last read the whole window */
    size_t section;      /* of the plan, that is on; SIZE_MAX: none yet */
    uint64_t stream;     /* of random numbers */
    size_t bar;          /* begun since the section did */
    ems_affect_point phrase; /* when the phrase began */
    int called;          /* nonzero: <CHORD> came in this moment */
    ems_likelihood likelihood; /* only where the options ask for it */
    int waiting;         /* tokens since time last passed */
    int done;
    float logits[EMS_VOCAB]; /* led by emotion */
} ems_voice;

/* `stream` tells voices apart. The brief is borrowed. */
int ems_voice_start(ems_voice *v, const ems_brief *brief, uint64_t stream,
                    ems_error *err);
/* Choose the next token by the session's logits and account for it. Returns
 * 1 if the model shall now be told of it by ems_session_append (token and
 * seconds given), 0 if it knows already or the piece is done, < 0 on failure. */
int ems_voice_step(ems_voice *v, int *token, float *seconds, ems_error *err);
void ems_voice_clear(ems_voice *v);
#endif
