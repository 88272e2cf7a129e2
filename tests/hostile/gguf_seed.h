/* The seed of hostile GGUF files: a small whole llama with a vocabulary, each of whose fields has a
 * label, so that a test can say "dim0:token_embd.weight = 0". */
#ifndef TESTS_HOSTILE_GGUF_SEED_H
#define TESTS_HOSTILE_GGUF_SEED_H

#include "tests/gguf_bytes.h"

#include <stdio.h>

enum { SEED_LABELS_MAX = 512, SEED_EXTRA_BYTES = 8192 };

/* Where a field lies. */
struct seed_label {
    char name[64];
    size_t at;
    int bytes;
    bool length; /* a count or a length: the fields that attacks are made of */
};

struct gguf_seed {
    struct gguf_bytes file;
    size_t header_bytes;
    int label_count;
    struct seed_label labels[SEED_LABELS_MAX];
};

static inline void seed_label(struct gguf_seed *seed, const char *field, const char *name,
                              int bytes, bool length)
{
    struct seed_label *label = &seed->labels[seed->label_count++];
    snprintf(label->name, sizeof label->name, "%s%s%s", field, *name ? ":" : "", name);
    label->at = seed->file.count;
    label->bytes = bytes;
    label->length = length;
}

static inline void seed_key(struct gguf_seed *seed, const char *key, uint32_t type)
{
    seed_label(seed, "length", key, 8, true);
    put_u64(&seed->file, strlen(key));
    seed_label(seed, "key", key, (int)strlen(key), false);
    put_bytes(&seed->file, key, strlen(key));
    seed_label(seed, "type", key, 4, false);
    put_u32(&seed->file, type);
    seed_label(seed, "value", key, type == GGUF_U64 || type == GGUF_TEXT ? 8 : 4,
               type == GGUF_TEXT);
}

static inline void seed_u32(struct gguf_seed *seed, const char *key, uint32_t value)
{
    seed_key(seed, key, GGUF_U32);
    put_u32(&seed->file, value);
}

static inline void seed_f32(struct gguf_seed *seed, const char *key, float value)
{
    seed_key(seed, key, GGUF_F32);
    put_f32(&seed->file, value);
}

static inline void seed_text(struct gguf_seed *seed, const char *key, const char *value)
{
    seed_key(seed, key, GGUF_TEXT);
    put_text(&seed->file, value);
}

static inline void seed_list(struct gguf_seed *seed, const char *key, uint32_t type, uint64_t count)
{
    seed_key(seed, key, GGUF_LIST);
    put_u32(&seed->file, type);
    seed_label(seed, "count", key, 8, true);
    put_u64(&seed->file, count);
}

enum { SEED_VOCABULARY = 8, SEED_WIDTH = 32, SEED_KEYS = 20, SEED_TENSORS = 12 };

/* SentencePiece: the first three tokens are unknown, begin and end. */
static inline void seed_vocabulary(struct gguf_seed *seed)
{
    static const char *const tokens[SEED_VOCABULARY] = {"<unk>",        "<s>", "</s>", "<0x0A>",
                                                        "\xe2\x96\x81", "a",   "b",    "ab"};
    static const int32_t types[SEED_VOCABULARY] = {2, 3, 3, 6, 1, 1, 1, 1};
    seed_text(seed, "tokenizer.ggml.model", "llama");
    seed_list(seed, "tokenizer.ggml.tokens", GGUF_TEXT, SEED_VOCABULARY);
    for (int i = 0; i < SEED_VOCABULARY; i++) put_text(&seed->file, tokens[i]);
    seed_list(seed, "tokenizer.ggml.scores", GGUF_F32, SEED_VOCABULARY);
    for (int i = 0; i < SEED_VOCABULARY; i++) put_f32(&seed->file, (float)-i);
    seed_list(seed, "tokenizer.ggml.token_type", GGUF_I32, SEED_VOCABULARY);
    for (int i = 0; i < SEED_VOCABULARY; i++) put_u32(&seed->file, (uint32_t)types[i]);
    seed_u32(seed, "tokenizer.ggml.bos_token_id", 1);
    seed_u32(seed, "tokenizer.ggml.eos_token_id", 2);
    seed_u32(seed, "tokenizer.ggml.unknown_token_id", 0);
}

static inline void seed_keys(struct gguf_seed *seed)
{
    seed_text(seed, "general.architecture", "llama");
    seed_u32(seed, "general.alignment", 32);
    seed_u32(seed, "llama.block_count", 1);
    seed_u32(seed, "llama.context_length", 64);
    seed_u32(seed, "llama.embedding_length", SEED_WIDTH);
    seed_u32(seed, "llama.feed_forward_length", SEED_WIDTH);
    seed_u32(seed, "llama.attention.head_count", 2);
    seed_u32(seed, "llama.attention.head_count_kv", 2);
    seed_f32(seed, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    seed_f32(seed, "llama.rope.freq_base", 10000.0f);
    seed_u32(seed, "llama.rope.dimension_count", SEED_WIDTH / 2);
    seed_u32(seed, "llama.vocab_size", SEED_VOCABULARY);
    seed_u32(seed, "general.file_type", 7);
    seed_vocabulary(seed);
}

/* One tensor of the directory: f32 vectors and q8_0 matrices. */
static inline void seed_tensor(struct gguf_seed *seed, const char *name, uint64_t rows,
                               uint64_t *offset)
{
    struct gguf_bytes *file = &seed->file;
    uint64_t bytes = rows ? rows * SEED_WIDTH / 32 * 34 : SEED_WIDTH * 4;
    seed_label(seed, "length", name, 8, true);
    put_u64(file, strlen(name));
    seed_label(seed, "name", name, (int)strlen(name), false);
    put_bytes(file, name, strlen(name));
    seed_label(seed, "rank", name, 4, true);
    put_u32(file, rows ? 2 : 1);
    seed_label(seed, "dim0", name, 8, true);
    put_u64(file, SEED_WIDTH);
    if (rows) {
        seed_label(seed, "dim1", name, 8, true);
        put_u64(file, rows);
    }
    seed_label(seed, "type", name, 4, false);
    put_u32(file, rows ? 8 : 0);
    seed_label(seed, "offset", name, 8, true);
    put_u64(file, *offset);
    *offset += (bytes + 31) / 32 * 32;
}

/* `extra`: one more metadata entry, or NULL. */
static inline void seed_build(struct gguf_seed *seed, const struct gguf_bytes *extra)
{
    static const struct {
        const char *name;
        uint64_t rows;
    } tensors[SEED_TENSORS] = {
        {"token_embd.weight", SEED_VOCABULARY},
        {"output_norm.weight", 0},
        {"output.weight", SEED_VOCABULARY},
        {"blk.0.attn_norm.weight", 0},
        {"blk.0.attn_q.weight", 32},
        {"blk.0.attn_k.weight", 32},
        {"blk.0.attn_v.weight", 32},
        {"blk.0.attn_output.weight", 32},
        {"blk.0.ffn_norm.weight", 0},
        {"blk.0.ffn_gate.weight", 32},
        {"blk.0.ffn_up.weight", 32},
        {"blk.0.ffn_down.weight", 32},
    };
    uint64_t data_bytes = 0;
    seed->file.count = 0;
    seed->label_count = 0;
    put_bytes(&seed->file, "GGUF", 4);
    seed_label(seed, "version", "", 4, false);
    put_u32(&seed->file, 3);
    seed_label(seed, "tensors", "", 8, true);
    put_u64(&seed->file, SEED_TENSORS);
    seed_label(seed, "keys", "", 8, true);
    put_u64(&seed->file, SEED_KEYS + (extra ? 1 : 0));
    seed_keys(seed);
    if (extra) put_bytes(&seed->file, extra->bytes, extra->count);
    for (int i = 0; i < SEED_TENSORS; i++) {
        seed_tensor(seed, tensors[i].name, tensors[i].rows, &data_bytes);
    }
    seed->header_bytes = seed->file.count;
    put_padding(&seed->file);
    put_zeros(&seed->file, (size_t)data_bytes);
}

/* NULL when there is no such field. */
static inline const struct seed_label *seed_find(const struct gguf_seed *seed, const char *name)
{
    for (int i = 0; i < seed->label_count; i++) {
        if (!strcmp(seed->labels[i].name, name)) return &seed->labels[i];
    }
    return NULL;
}

#endif
