/* Any bytes as plan.json: read or refused, never worse; what can be read can
 * be checked, hashed, given an ending and laid out in bars. */
#include "music/metre.h"
#include "music/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *user, const char *sentence)
{
    (void)user, (void)sentence;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_error err;
    ems_plan *p = ems_plan_parse((const char *)data, size, "fuzz", &err);
    ems_metre m = {0};
    double time;
    char hash[17];
    if (!p)
        return 0;
    ems_plan_contradictions(p, "fuzz", ignore, NULL);
    ems_plan_hash(p, hash);
    ems_plan_ending(p, &time);
    if (p->duration < 1000)
        ems_metre_plan(&m, p, p->hits, p->hit_count, &err);
    ems_metre_clear(&m);
    ems_plan_free(p);
    return 0;
}
