/* emsync experts: which pretrained networks look and listen. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    const char *out;
} settings;

typedef struct round {
    cli_ui *ui;
    cli_json json;
    bool whole; /* also source and licence */
} round;

static void show_json(cli_json *j, const ems_expert_info *i)
{
    cli_json_open(j, NULL, '{');
    cli_json_text(j, "name", i->name);
    cli_json_text(j, "folder", i->folder);
    cli_json_text(j, "modality", i->modality);
    cli_json_text(j, "what", i->what);
    cli_json_text(j, "licence", i->licence);
    cli_json_text(j, "source", i->source);
    cli_json_text(j, "sha256", i->sha256);
    cli_json_whole(j, "dim", i->dim);
    cli_json_real(j, "every", i->every);
    cli_json_text(j, "why", i->why ? i->why : "");
    cli_json_close(j, '}');
}

static void show(void *user, const ems_expert_info *i)
{
    round *r = user;
    if (r->ui->common->json) {
        show_json(&r->json, i);
    } else if (!cli_talks(r->ui)) {
        return;
    } else if (i->why) {
        printf("%-14s FAIL  %s\n", i->name, i->why);
    } else {
        printf("%-14s %-8s %5zu values every %.2g s  %s\n", i->name,
               i->modality, i->dim, i->every, i->what);
        if (r->whole)
            printf("%-14s %s; %s\n", "", i->licence, i->source);
    }
}

static int finish(round *r, int wrong, const ems_error *err)
{
    if (wrong < 0)
        return cli_fail(r->ui, err);
    if (r->ui->common->json) {
        cli_json_close(&r->json, ']');
        cli_json_whole(&r->json, "wrong", (uint64_t)wrong);
        cli_result_close(&r->json);
    }
    return wrong ? CLI_FAILED : CLI_DONE;
}

static round begin(cli_ui *ui)
{
    round r = {.ui = ui};
    if (ui->common->json) {
        cli_result_open(&r.json, NULL);
        cli_json_open(&r.json, "experts", '[');
    }
    return r;
}

/* ---- list, check --------------------------------------------------------- */

static int run_list(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    round r = begin(ui);
    r.whole = s->common.verbosity > 0;
    const int wrong = ems_experts_each(0, show, &r, &err);
    return wrong < 0 ? finish(&r, wrong, &err) : finish(&r, 0, &err);
}

static int run_check(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    round r = begin(ui);
    const int wrong = s->common.operand_count
                          ? ems_expert_check(s->common.operands[0], show, &r,
                                             &err)
                          : ems_experts_each(1, show, &r, &err);
    return finish(&r, wrong, &err);
}

static const cli_example list_examples[] = {
    {"emsync experts list", "Which networks will look and listen?"},
    {"emsync experts list --verbose", "Also their licences and sources."},
    {NULL, NULL},
};

const cli_command cli_experts_list = {
    .name = "experts list",
    .summary = "show the pretrained networks that look and listen",
    .details = "They are searched in $EMSYNC_EXPERTS if it is set, else in"
               " the user's data folder (.local/share/emsync/experts) and"
               " where emsync is installed.",
    .examples = list_examples,
    .settings = sizeof(settings),
    .run = run_list,
};

static const cli_operand folder_operands[] = {
    {CLI_FOLDER, "FOLDER", "an expert: manifest.json and what it names; all"
     " that are installed if none is given", true, false},
    CLI_END,
};

static const cli_example check_examples[] = {
    {"emsync experts check", "Do checksums, networks and manifests agree?"},
    {"emsync experts check ./clip", "Is this folder an expert?"},
    {NULL, NULL},
};

const cli_command cli_experts_check = {
    .name = "experts check",
    .summary = "check experts: files, checksums, networks",
    .operands = folder_operands,
    .examples = check_examples,
    .settings = sizeof(settings),
    .run = run_check,
};

/* ---- add, convert -------------------------------------------------------- */

static int run_add(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    if (ems_expert_add(s->common.operands[0], &err) < 0)
        return cli_fail(ui, &err);
    if (cli_talks(ui) && !ui->common->json)
        printf("added %s\n", s->common.operands[0]);
    return CLI_DONE;
}

static const cli_operand add_operands[] = {
    {CLI_FOLDER, "FOLDER", "an expert: manifest.json and what it names", 0,
     0},
    CLI_END,
};

static const cli_example add_examples[] = {
    {"emsync experts add ./clip", "Check an expert and keep a copy of it."},
    {NULL, NULL},
};

const cli_command cli_experts_add = {
    .name = "experts add",
    .summary = "check an expert and add it to yours",
    .details = "Copies it to the user's data folder, or to $EMSYNC_EXPERTS."
               " The manifest is described in docs/FORMATS.md, the way from"
               " a network to an expert in docs/EXPERTS.md.",
    .operands = add_operands,
    .examples = add_examples,
    .settings = sizeof(settings),
    .run = run_add,
};

static int run_convert(void *data, cli_ui *ui)
{
    const settings *s = data;
    const char *nodes[17] = {0};
    ems_error err;
    if (s->common.operand_count > 17)
        return cli_error(ui, "at most 16 nodes can be outputs");
    for (size_t i = 1; i < s->common.operand_count; i++)
        nodes[i - 1] = s->common.operands[i];
    if (ems_expert_convert(s->common.operands[0], s->out, nodes, &err) < 0)
        return cli_fail(ui, &err);
    if (cli_talks(ui) && !ui->common->json)
        printf("wrote %s\n", s->out);
    return CLI_DONE;
}

static const cli_operand convert_operands[] = {
    {CLI_INPUT, "MODEL", "model.json of a TensorFlow.js graph model, its"
     " weight files beside it", 0, 0},
    {CLI_INPUT, "NODE", "which nodes become outputs; none: those of the"
     " model's signature", true, true},
    CLI_END,
};

static const cli_option convert_options[] = {
    CLI_RESULT(out, "the network, ONNX"),
    CLI_END,
};

static const cli_example convert_examples[] = {
    {"emsync experts convert emotion.json -o network.onnx",
     "Make a network that ONNX Runtime can run."},
    {NULL, NULL},
};

const cli_command cli_experts_convert = {
    .name = "experts convert",
    .summary = "convert a TensorFlow.js graph model to ONNX",
    .operands = convert_operands,
    .options = convert_options,
    .examples = convert_examples,
    .settings = sizeof(settings),
    .run = run_convert,
    .writes = true,
};

/* ---- bench --------------------------------------------------------------- */

static void show_speed(void *user, const ems_expert_info *i, double once,
                       double per_second)
{
    round *r = user;
    if (r->ui->common->json) {
        cli_json_open(&r->json, NULL, '{');
        cli_json_text(&r->json, "name", i->name);
        cli_json_real(&r->json, "ms", once * 1e3);
        cli_json_real(&r->json, "ms_per_second_of_film", per_second * 1e3);
        cli_json_close(&r->json, '}');
    } else if (cli_talks(r->ui)) {
        printf("%-14s %7.1f ms each, %7.1f ms for a second of film\n",
               i->name, once * 1e3, per_second * 1e3);
    }
}

static int run_bench(void *data, cli_ui *ui)
{
    (void)data;
    ems_error err;
    round r = begin(ui);
    return finish(&r, ems_bench_experts(show_speed, &r, &ui->run, &err),
                  &err);
}

static const cli_example bench_examples[] = {
    {"emsync experts bench --threads 1", "How long does each one think?"},
    {NULL, NULL},
};

const cli_command cli_experts_bench = {
    .name = "experts bench",
    .summary = "measure how long each expert takes",
    .examples = bench_examples,
    .settings = sizeof(settings),
    .run = run_bench,
    .works = true,
};
