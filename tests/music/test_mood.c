#include "ems_test.h"

#include "music/lineup.h"
#include "music/mood.h"

#include <math.h>
#include <string.h>

static ems_mood mood(double valence, double arousal, double steer)
{
    ems_mood m;
    double share[EMS_FAMILIES];
    ems_mood_start(&m, 3, steer);
    ems_mood_set(&m, valence, arousal);
    ems_lineup_at(3, 0, arousal, (1u << EMS_FAMILIES) - 1, share);
    ems_mood_lineup(&m, share);
    ems_mood_chord(&m, ems_harmony_at(1, m.minor, valence, 0,
                                      EMS_CADENCE_CLOSE));
    return m;
}

/* The prior's logarithm of a note-ON, `interval` above the tonic. */
static double prior(const ems_mood *m, int family, int interval, double recent)
{
    float logits[EMS_VOCAB] = {0};
    ems_mood_apply(m, &(ems_heard){.recent = recent}, logits);
    const int pitch = 60 + m->tonic + interval; /* 60: a C */
    return (double)logits[ems_note_token(family, pitch, 1)];
}

static void arousal_asks_for_notes(void **state)
{
    (void)state;
    const ems_mood calm = mood(0.5, -0.8, 1), wild = mood(0.5, 0.8, 1);
    assert_true(calm.target < 6 && wild.target > 20);
    for (double recent = 0; recent < 30; recent += 5)
        assert_true(prior(&wild, EMS_GUITAR, 0, recent) >=
                    prior(&calm, EMS_GUITAR, 0, recent));
    assert_true(prior(&calm, EMS_DRUMS, 0, 20) < -1);
    assert_true(prior(&wild, EMS_DRUMS, 0, 2) > 1);
}

static void valence_asks_for_the_mode(void **state)
{
    (void)state;
    const ems_mood sad = mood(-0.8, 0, 1), glad = mood(0.8, 0, 1);
    assert_true(sad.minor && !glad.minor && sad.tonic == glad.tonic);
    const double n = 10;
    assert_true(prior(&sad, EMS_PIANO, 3, n) > prior(&sad, EMS_PIANO, 4, n));
    assert_true(prior(&glad, EMS_PIANO, 4, n) > prior(&glad, EMS_PIANO, 3, n));
    /* the scales: major without its minor third, minor without the major */
    assert_true(glad.scale >> (glad.tonic + 4) % 12 & 1);
    assert_false(glad.scale >> (glad.tonic + 3) % 12 & 1);
    assert_true(sad.scale >> (sad.tonic + 3) % 12 & 1);
    assert_false(sad.scale >> (sad.tonic + 4) % 12 & 1);
    /* the tonic leads, in the bass most */
    assert_true(prior(&glad, EMS_BASS, 0, n) - prior(&glad, EMS_BASS, 11, n) >
                prior(&glad, EMS_PIANO, 0, n) -
                    prior(&glad, EMS_PIANO, 11, n));
}

static float note_prior(const ems_mood *m, const ems_heard *heard, int family,
                        int pitch)
{
    float logits[EMS_VOCAB] = {0};
    ems_mood_apply(m, heard, logits);
    return logits[ems_note_token(family, pitch, 1)];
}

/* Drums come with excitement; who was not heard comes forward, who was heard
 * all the time steps back. */
static void arousal_chooses_the_band(void **state)
{
    (void)state;
    const ems_mood calm = mood(0.5, -0.8, 1), wild = mood(0.5, 0.8, 1);
    static double struck[EMS_FAMILIES][EMS_PITCHES];
    const ems_heard heard = {.recent = 10, .struck = struck};
    assert_true(note_prior(&calm, &heard, EMS_DRUMS, 36) + 3 <
                note_prior(&wild, &heard, EMS_DRUMS, 36));
    assert_true(note_prior(&calm, &heard, EMS_STRINGS, 60) -
                    note_prior(&calm, &heard, EMS_GUITAR, 60) >
                note_prior(&wild, &heard, EMS_STRINGS, 60) -
                    note_prior(&wild, &heard, EMS_GUITAR, 60));
    const float drums = note_prior(&wild, &heard, EMS_DRUMS, 36);
    const float strings = note_prior(&wild, &heard, EMS_STRINGS, 60);
    for (int k = 20; k < 60; k++)
        struck[EMS_STRINGS][k] = 0.5;
    assert_true(note_prior(&wild, &heard, EMS_DRUMS, 36) > drums);
    assert_true(note_prior(&wild, &heard, EMS_DRUMS, 36) -
                    note_prior(&wild, &heard, EMS_STRINGS, 60) >
                drums - strings + 2);
}

/* Where nothing low has sounded for a while, roots are called for, of those who
 * play. */
static void music_has_ground(void **state)
{
    (void)state;
    const ems_mood m = mood(0.5, -0.5, 1);
    const int root = 36 + m.root, strange = root + 1;
    const ems_heard held = {.recent = 5}, lost = {.recent = 5, .afloat = 2};
    for (int f = 0; f < EMS_FAMILIES; f++) {
        const float more = note_prior(&m, &lost, f, root) -
                           note_prior(&m, &held, f, root);
        const int plays = f != EMS_DRUMS && m.wanted[f] > 0;
        assert_true(plays ? more > 1 : more == 0);
        assert_true(note_prior(&m, &lost, f, strange) <=
                    note_prior(&m, &lost, f, root));
        assert_true(note_prior(&m, &lost, f, root + 24) ==
                    note_prior(&m, &held, f, root + 24));
    }
}

/* A pitch that its family has worn out gives way to others; the bass may stay
 * longer, drums repeat themselves. */
static void hammered_pitches_tire(void **state)
{
    (void)state;
    const ems_mood m = mood(0.5, 0.5, 1);
    static double struck[EMS_FAMILIES][EMS_PITCHES];
    const ems_heard heard = {.recent = 10, .struck = struck};
    float fresh[EMS_VOCAB] = {0}, worn[EMS_VOCAB] = {0};
    enum { K = 20 };
    ems_mood_apply(&m, &heard, fresh);
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (int k = K; k < K + 2; k++)
            struck[f][k] = k == K ? 8 : 1;
    ems_mood_apply(&m, &heard, worn);
    double tired[EMS_FAMILIES];
    for (int f = 0; f < EMS_FAMILIES; f++) {
        const int often = ems_note_token(f, EMS_LOW_PITCH + K, 1);
        const double all = (double)(fresh[often + 1] - worn[often + 1]);
        tired[f] = (double)(fresh[often] - worn[often]) - all;
        assert_float_equal(fresh[often + 2] - worn[often + 2], all, 1e-5);
    }
    assert_true(tired[EMS_PIANO] > 2 && fabs(tired[EMS_DRUMS]) < 1e-5);
    assert_true(tired[EMS_PIANO] > tired[EMS_BASS] && tired[EMS_BASS] > 1);
}

/* A valence that trembles about zero does not change the mode. */
static void the_mode_is_reluctant(void **state)
{
    (void)state;
    ems_mood m = mood(0.5, 0, 1);
    ems_mood_set(&m, -0.05, 0);
    assert_false(m.minor);
    ems_mood_set(&m, -0.3, 0);
    assert_true(m.minor);
    ems_mood_set(&m, 0.05, 0);
    assert_true(m.minor);
    ems_mood_set(&m, 0.3, 0);
    assert_false(m.minor);
}

static void only_note_ons_are_led(void **state)
{
    (void)state;
    const ems_mood m = mood(-0.8, 0.8, 1), none = mood(-0.8, 0.8, 0);
    const ems_heard heard = {.recent = 1, .afloat = 9};
    float logits[EMS_VOCAB] = {0}, zero[EMS_VOCAB] = {0};
    ems_mood_apply(&m, &heard, logits);
    for (int token = 0; token < EMS_VOCAB; token++)
        if (!ems_is_note(token) || !ems_note_is_on(token))
            assert_true(logits[token] == 0);
    memset(logits, 0, sizeof logits);
    ems_mood_apply(&none, &heard, logits);
    assert_memory_equal(logits, zero, sizeof zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arousal_asks_for_notes),
        cmocka_unit_test(valence_asks_for_the_mode),
        cmocka_unit_test(arousal_chooses_the_band),
        cmocka_unit_test(music_has_ground),
        cmocka_unit_test(hammered_pitches_tire),
        cmocka_unit_test(the_mode_is_reluctant),
        cmocka_unit_test(only_note_ons_are_led),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
