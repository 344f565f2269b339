#include "music/likelihood.h"

#include "music/sampler.h"
#include "music/vocab.h"

#include <math.h>

static const double LEAST = 1e-30; /* of a probability */

static double cost_of(const float *logits, const uint8_t *chosen)
{
    return -log(fmax(LEAST, ems_sampler_share(logits, chosen)));
}

void ems_likelihood_add(ems_likelihood *l, const float *logits, int token,
                        const uint8_t *banned, int chord)
{
    uint8_t chosen[EMS_VOCAB] = {0};
    chosen[token] = 1;
    const double nats = cost_of(logits, chosen);
    l->tokens++;
    l->nats += nats;
    if (banned) {
        for (int i = 0; i < EMS_VOCAB; i++)
            chosen[i] = !banned[i];
        l->rules += cost_of(logits, chosen);
    } else {
        l->due++;
        l->rules += nats;
    }
    if (chord >= 0) {
        l->ons[chord]++;
        l->on_nats[chord] += nats;
    }
}
