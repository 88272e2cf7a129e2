/* The smallest use of Hone from C: completes a prompt greedily.
 *
 *     cc complete.c $(pkg-config --cflags --libs hone) -o complete && ./complete model.gguf "Once upon a time" */
#include <hone/hone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *error)
{
    fprintf(stderr, "complete: %s\n", error);
    return 1;
}

static int32_t most_probable(const float *logits, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

int main(int argc, char **argv)
{
    if (argc != 3) return fail("usage: complete MODEL PROMPT");
    char error[HONE_ERROR_BYTES];
    hone_engine *engine;
    if (hone_open(argv[1], NULL, &engine, error) != HONE_DONE) return fail(error);

    int32_t tokens[512];
    int64_t count;
    int sequence;
    if (hone_tokenize(engine, argv[2], strlen(argv[2]), tokens, 512, &count, error) != HONE_DONE ||
        hone_sequence_open(engine, &sequence, error) != HONE_DONE)
        return fail(error);
    if (count > 512) return fail("the prompt is too long for this example");

    float *logits = malloc((size_t)hone_vocabulary(engine) * sizeof *logits);
    if (!logits) return fail("out of memory");
    fputs(argv[2], stdout);
    for (int n = 0; n < 100; n++) {
        if (hone_feed(engine, sequence, tokens, count, logits, error) != HONE_DONE)
            return fail(error);
        tokens[0] = most_probable(logits, hone_vocabulary(engine));
        count = 1;
        if (hone_token_ends(engine, tokens[0])) break;
        size_t length;
        const char *bytes = hone_token_bytes(engine, tokens[0], &length);
        fwrite(bytes, 1, length, stdout);
        fflush(stdout);
    }
    putchar('\n');
    free(logits);
    hone_close(engine);
    return 0;
}
