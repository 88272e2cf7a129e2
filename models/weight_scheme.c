/* Reading quantization_config: a table of keys with the values that are computed with. */
#include "models/weight_scheme.h"

#include <inttypes.h>
#include <string.h>

static const char *const prefixes[] = {"quantization_config.", "compression_config."};

struct method {
    const char *name;
    enum weight_scheme_kind kind;
};

static const struct method methods[] = {
    {"fp8", SCHEME_FP8},           {"compressed-tensors", SCHEME_COMPRESSED},
    {"modelopt", SCHEME_MODELOPT}, {"gptq", SCHEME_GPTQ},
    {"awq", SCHEME_AWQ},           {"mxfp4", SCHEME_MXFP4},
};

/* A key of one method.  A star stands for any one name between dots, at the end for anything.  `allowed`: the values,
 * between bars; NULL: any, as the key says how the file was made or run, or the tensors say the same. */
struct key_rule {
    enum weight_scheme_kind kind;
    const char *pattern, *allowed;
};

static const struct key_rule key_rules[] = {
    {SCHEME_FP8, "fmt", "e4m3|e5m2|float8_e4m3fn"},
    {SCHEME_FP8, "activation_scheme", "dynamic|static"}, /* activations are not rounded here */
    {SCHEME_FP8, "scale_fmt", NULL},
    {SCHEME_FP8, "weight_block_size", "[128,128]"},
    {SCHEME_FP8, "modules_to_not_convert", NULL},
    {SCHEME_FP8, "ignored_layers", NULL},
    {SCHEME_FP8, "dequantize", NULL},
    {SCHEME_COMPRESSED, "format",
     "float-quantized|int-quantized|naive-quantized|nvfp4-pack-quantized"},
    {SCHEME_COMPRESSED, "quantization_status", "compressed|frozen"},
    {SCHEME_COMPRESSED, "ignore", NULL},
    {SCHEME_COMPRESSED, "version", NULL},
    {SCHEME_COMPRESSED, "global_compression_ratio", NULL},
    {SCHEME_COMPRESSED, "sparsity_config.format", "dense"},
    {SCHEME_COMPRESSED, "sparsity_config.*", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.format",
     "float-quantized|int-quantized|naive-quantized|nvfp4-pack-quantized"},
    {SCHEME_COMPRESSED, "config_groups.*.targets", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.weights.num_bits", "8|4"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.type", "float|int"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.strategy", "tensor|channel|block|tensor_group"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.group_size", "16"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.block_structure", "[128,128]"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.symmetric", "true"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.dynamic", "false"},
    {SCHEME_COMPRESSED, "config_groups.*.weights.observer", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.weights.observer_kwargs.*", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.weights.scale_dtype", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.weights.zp_dtype", NULL},
    {SCHEME_COMPRESSED, "config_groups.*.input_activations.*", NULL}, /* not rounded here */
    {SCHEME_MODELOPT, "quant_algo", "NVFP4"},
    {SCHEME_MODELOPT, "group_size", "16"},
    {SCHEME_MODELOPT, "config_groups.*.targets", NULL},
    {SCHEME_MODELOPT, "config_groups.*.weights.num_bits", "4"},
    {SCHEME_MODELOPT, "config_groups.*.weights.type", "float"},
    {SCHEME_MODELOPT, "config_groups.*.weights.group_size", "16"},
    {SCHEME_MODELOPT, "config_groups.*.weights.dynamic", "false"},
    {SCHEME_MODELOPT, "config_groups.*.input_activations.*", NULL}, /* not rounded here */
    {SCHEME_MODELOPT, "kv_cache_scheme.*", NULL}, /* states have types of their own */
    {SCHEME_MODELOPT, "kv_cache_quant_algo", NULL},
    {SCHEME_MODELOPT, "ignore", NULL},
    {SCHEME_MODELOPT, "exclude_modules", NULL},
    {SCHEME_MODELOPT, "producer.*", NULL},
    {SCHEME_GPTQ, "bits", "4"},
    {SCHEME_GPTQ, "group_size", NULL}, /* follows from the shapes; so does the next, from g_idx */
    {SCHEME_GPTQ, "desc_act", NULL},
    {SCHEME_GPTQ, "sym", NULL},
    {SCHEME_GPTQ, "checkpoint_format", "gptq|gptq_v2"},
    {SCHEME_GPTQ, "is_marlin_format", "false"},
    {SCHEME_GPTQ, "pack_dtype", "int32"},
    {SCHEME_GPTQ, "damp_percent", NULL},
    {SCHEME_GPTQ, "damp_auto_increment", NULL},
    {SCHEME_GPTQ, "static_groups", NULL},
    {SCHEME_GPTQ, "true_sequential", NULL},
    {SCHEME_GPTQ, "lm_head", NULL},
    {SCHEME_GPTQ, "model_name_or_path", NULL},
    {SCHEME_GPTQ, "model_file_base_name", NULL},
    {SCHEME_GPTQ, "quantizer", NULL},
    {SCHEME_GPTQ, "meta.*", NULL},
    {SCHEME_GPTQ, "dataset", NULL},
    {SCHEME_GPTQ, "tokenizer", NULL},
    {SCHEME_GPTQ, "batch_size", NULL},
    {SCHEME_GPTQ, "block_name_to_quantize", NULL},
    {SCHEME_GPTQ, "module_name_preceding_first_block", NULL},
    {SCHEME_GPTQ, "modules_in_block_to_quantize", NULL},
    {SCHEME_GPTQ, "cache_block_outputs", NULL},
    {SCHEME_GPTQ, "model_seqlen", NULL},
    {SCHEME_GPTQ, "pad_token_id", NULL},
    {SCHEME_GPTQ, "use_cuda_fp16", NULL},
    {SCHEME_GPTQ, "use_exllama", NULL},
    {SCHEME_GPTQ, "disable_exllama", NULL},
    {SCHEME_GPTQ, "exllama_config.*", NULL},
    {SCHEME_GPTQ, "max_input_length", NULL},
    {SCHEME_GPTQ, "backend", NULL},
    {SCHEME_AWQ, "bits", "4"},
    {SCHEME_AWQ, "w_bit", "4"},
    {SCHEME_AWQ, "group_size", NULL},
    {SCHEME_AWQ, "q_group_size", NULL},
    {SCHEME_AWQ, "version", "gemm|GEMM"},
    {SCHEME_AWQ, "zero_point", "true"},
    {SCHEME_AWQ, "backend", "autoawq"},
    {SCHEME_AWQ, "modules_to_not_convert", NULL},
    {SCHEME_AWQ, "do_fuse", NULL},
    {SCHEME_AWQ, "fuse_max_seq_len", NULL},
    {SCHEME_AWQ, "modules_to_fuse.*", NULL},
    {SCHEME_AWQ, "exllama_config.*", NULL},
    {SCHEME_MXFP4, "modules_to_not_convert", NULL},
    {SCHEME_MXFP4, "dequantize", NULL},
};

/* The part of a key behind the prefix, or NULL. */
static const char *inner_key(const char *key)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i]);
        if (!strncmp(key, prefixes[i], length)) return key + length;
    }
    return NULL;
}

static bool matches(const char *pattern, const char *key)
{
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (*key++ != *pattern) return false;
            continue;
        }
        if (!pattern[1]) return true;
        while (*key && *key != '.') key++;
    }
    return !*key;
}

/* "4", "true", "gemm", "[128,128]"; NULL when memory is out. */
static const char *value_text(struct arena *arena, const struct metadata *entry)
{
    switch (entry->kind) {
    case METADATA_INTEGER: return arena_print(arena, "%" PRId64, entry->integer);
    case METADATA_BOOLEAN: return entry->integer ? "true" : "false";
    case METADATA_REAL: return arena_print(arena, "%.17g", entry->real);
    case METADATA_TEXT: return arena_text_range(arena, entry->text, (size_t)entry->length);
    case METADATA_LIST:
        if (entry->length == 2 && entry->items && entry->items[0].kind == METADATA_INTEGER)
            return arena_print(arena, "[%" PRId64 ",%" PRId64 "]", entry->items[0].integer,
                               entry->items[1].integer);
        return "a list";
    default: return "nothing";
    }
}

static bool is_allowed(const char *allowed, const char *text)
{
    size_t length = strlen(text);
    while (allowed) {
        size_t each = strcspn(allowed, "|");
        if (each == length && !strncmp(allowed, text, length)) return true;
        allowed = allowed[each] ? allowed + each + 1 : NULL;
    }
    return false;
}

static status check_key(struct model_source *source, struct metadata *entry, const char *key,
                        struct weight_scheme *scheme, struct diagnostic *diagnostic)
{
    for (size_t i = 0; i < sizeof key_rules / sizeof *key_rules; i++) {
        const struct key_rule *rule = &key_rules[i];
        if (rule->kind != scheme->kind || !matches(rule->pattern, key)) continue;
        const char *text = value_text(source->arena, entry);
        TRY_MEMORY(text, diagnostic);
        if (rule->allowed && !is_allowed(rule->allowed, text))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.400s: key '%.150s': '%.60s' is not supported; known are %.150s",
                        source->path, entry->key, text, rule->allowed);
        entry->consumed = true;
        scheme->tiles = scheme->tiles || !strcmp(text, "[128,128]");
        if (!strcmp(key, "checkpoint_format") && !strcmp(text, "gptq_v2")) scheme->zero_shift = 0;
        return STATUS_OK;
    }
    return STATUS_OK; /* stays unconsumed: model_open refuses it by name */
}

static status find_method(struct model_source *source, struct weight_scheme *scheme,
                          struct diagnostic *diagnostic)
{
    for (int i = 0; i < source->metadata_count; i++) {
        struct metadata *entry = &source->metadata[i];
        const char *key = inner_key(entry->key);
        if (!key || strcmp(key, "quant_method") != 0 || entry->kind == METADATA_NOTHING) continue;
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
            if (metadata_is_text(entry, methods[m].name)) scheme->kind = methods[m].kind;
        if (scheme->kind == SCHEME_NONE)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.400s: key '%.100s': '%.*s' is not supported; known are fp8, "
                        "compressed-tensors, modelopt, gptq, awq and mxfp4",
                        source->path, entry->key,
                        entry->kind == METADATA_TEXT && entry->length < 60 ? (int)entry->length : 0,
                        entry->text ? entry->text : "");
        entry->consumed = true;
    }
    scheme->zero_shift = scheme->kind == SCHEME_GPTQ;
    return STATUS_OK;
}

status weight_scheme_read(struct model_source *source, struct weight_scheme *scheme,
                          struct diagnostic *diagnostic)
{
    *scheme = (struct weight_scheme){0};
    TRY(find_method(source, scheme, diagnostic));
    for (int i = 0; i < source->metadata_count; i++) {
        struct metadata *entry = &source->metadata[i];
        const char *key = inner_key(entry->key);
        if (!key || entry->kind == METADATA_NOTHING || entry->consumed) continue;
        TRY(check_key(source, entry, key, scheme, diagnostic));
    }
    return STATUS_OK;
}
