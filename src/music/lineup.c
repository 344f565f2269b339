#include "music/lineup.h"

#include "base/rng.h"
#include "music/harmony.h"

#include <math.h>

enum { STREAM = 0x6c696e65, SONG = EMS_FORM * EMS_PHRASE, FEWEST = 2 };

/* At arousal -0.7, 0 and 0.7: how likely a family plays, and how many notes it
 * then has beside the others. */
typedef struct habit {
    double plays[3], weight[3];
} habit;

static const habit HABIT[EMS_FAMILIES] = {
    [EMS_DRUMS] = {{0, 0.45, 1}, {0.05, 0.2, 0.3}},
    [EMS_BASS] = {{0.15, 0.7, 1}, {0.08, 0.12, 0.14}},
    [EMS_GUITAR] = {{0.3, 0.6, 0.95}, {0.2, 0.25, 0.3}},
    [EMS_PIANO] = {{0.9, 0.8, 0.6}, {0.5, 0.35, 0.15}},
    [EMS_STRINGS] = {{0.7, 0.65, 0.6}, {0.35, 0.28, 0.15}},
};

static double at_arousal(const double point[3], double arousal)
{
    const double x = fmin(fabs(arousal) / 0.7, 1);
    return point[1] + x * (point[arousal < 0 ? 0 : 2] - point[1]);
}

/* Who was nearest to playing joins, until chords have their players. */
static void fill_up(const double eager[EMS_FAMILIES], unsigned allowed,
                    int plays[EMS_FAMILIES])
{
    for (;;) {
        int count = 0, next = -1;
        for (int f = 0; f < EMS_FAMILIES; f++) {
            if (!ems_is_melodic(f) || !(allowed >> f & 1))
                continue;
            count += plays[f];
            if (!plays[f] && (next < 0 || eager[f] > eager[next]))
                next = f;
        }
        if (count >= FEWEST || next < 0)
            return;
        plays[next] = 1;
    }
}

void ems_lineup_at(uint64_t seed, size_t bar, double arousal, unsigned allowed,
                   double share[EMS_FAMILIES])
{
    ems_rng rng = ems_rng_seed(seed, STREAM + 2 * (uint64_t)(bar / SONG) +
                                         (uint64_t)ems_in_bridge(bar));
    double eager[EMS_FAMILIES], sum = 0;
    int plays[EMS_FAMILIES], anybody = 0;
    for (int f = 0; f < EMS_FAMILIES; f++) {
        eager[f] = at_arousal(HABIT[f].plays, arousal) -
                   ems_rng_uniform(&rng);
        plays[f] = eager[f] > 0 && allowed >> f & 1;
    }
    fill_up(eager, allowed, plays);
    for (int f = 0; f < EMS_FAMILIES; f++)
        anybody |= plays[f];
    for (int f = 0; f < EMS_FAMILIES && !anybody; f++)
        plays[f] = allowed >> f & 1;
    for (int f = 0; f < EMS_FAMILIES; f++) {
        share[f] = plays[f] ? at_arousal(HABIT[f].weight, arousal) : 0;
        sum += share[f];
    }
    for (int f = 0; f < EMS_FAMILIES; f++)
        share[f] /= sum > 0 ? sum : 1;
}
