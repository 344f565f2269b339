#include "emotion/known.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "experts/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_text(ems_sha256 *s, const char *text)
{
    ems_sha256_add(s, text, strlen(text) + 1); /* with its end */
}

/* The content of a file; what cannot be read counts as empty. */
static void add_file(ems_sha256 *s, const char *path)
{
    char key[65] = "";
    if (!path || ems_file_key(path, key, NULL) < 0)
        key[0] = '\0';
    add_text(s, key);
}

static void add_weights(ems_sha256 *s, const char *name)
{
    char *path = ems_models_find(name, NULL);
    add_file(s, path);
    ems_free(path);
}

static void add_options(ems_sha256 *s, const ems_analyze_options *o)
{
    char text[80];
    snprintf(text, sizeof text, "%d %.17g %d", (int)o->cuts, o->threshold,
             o->no_words);
    add_text(s, text);
    if (o->fusion)
        add_text(s, strcmp(o->fusion, "none") == 0 ? "none" : "given");
    if (o->fusion && strcmp(o->fusion, "none") != 0)
        add_file(s, o->fusion);
    if (!o->fusion)
        add_weights(s, "emsync-fusion.safetensors");
}

void ems_known_key(char key[65], const ems_analyze_options *options,
                   const ems_senses *senses, const char *words_why)
{
    uint8_t digest[32];
    ems_sha256 s;
    char program[65];
    key[0] = '\0';
    /* a changed program may find something else */
    if (ems_file_key("/proc/self/exe", program, NULL) < 0)
        return;
    ems_sha256_begin(&s);
    add_text(&s, EMS_VERSION);
    add_text(&s, program);
    add_options(&s, options);
    for (size_t i = 0; i < ems_senses_count(senses); i++) {
        const ems_sense *e = ems_senses_at(senses, i);
        add_text(&s, e->name);
        add_text(&s, e->sha256);
        add_text(&s, e->why);
    }
    add_text(&s, words_why ? words_why : "not wanted");
    if (words_why)
        add_weights(&s, "emsync-text.safetensors");
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 32; i++)
        snprintf(key + 2 * i, 3, "%02x", digest[i]);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

ems_analysis *ems_known_get(const char *film, const char key[65],
                            const char *video)
{
    char *text = NULL;
    size_t size;
    if (!*film || !*key || ems_cache_get_text(film, key, &text, &size) < 0)
        return NULL;
    ems_analysis *a = ems_analysis_parse(text, size, "cache", NULL);
    char *name = a ? ems_strdup(base_name(video)) : NULL;
    ems_free(text);
    if (!name) {
        ems_analysis_free(a);
        return NULL;
    }
    ems_free(a->source);
    a->source = name;
    for (size_t i = 0; i < a->expert_count; i++)
        a->experts[i].cached = a->experts[i].why[0] == '\0';
    return a;
}

void ems_known_put(const char *film, const char key[65],
                   const ems_analysis *a)
{
    json_t *root = *film && *key ? ems_analysis_json(a) : NULL;
    char *text = root ? json_dumps(root, JSON_COMPACT |
                                             JSON_REAL_PRECISION(12))
                      : NULL;
    if (text)
        (void)ems_cache_put_text(film, key, text, strlen(text));
    free(text); /* of jansson */
    json_decref(root);
}
