/* Multiple choice by log-likelihood: which of the given continuations of a question a model finds most probable. */
#ifndef ENGINE_EVALUATE_CHOICES_H
#define ENGINE_EVALUATE_CHOICES_H

#include "engine/engine.h"

enum { CHOICES_MAX = 32, QUESTIONS_MAX = 1000000 };

struct question {
    const char *text;
    const char *choices[CHOICES_MAX];
    int choice_count, answer;
    int line; /* of the file, for messages */
};

struct question_list {
    struct question *items;
    int count;
    size_t capacity;
};

/* A file with one JSON object in a line (question_file.c); at most `limit` questions, 0: all. */
CHECKED status question_file_read(const char *path, int64_t limit, struct arena *arena,
                                  struct question_list *list, struct diagnostic *diagnostic);

struct choice_score {
    int questions, right, right_normalised; /* normalised: log-likelihood per byte of the choice */
    double log_likelihood; /* mean log p(answer | question, one of its choices), in nats */
};

/* The answer to each question is asked for with a space between question and choice, unless the choice brings its own
 * white space.  `picks`, unless NULL, receives two numbers per question: the raw and the normalised choice. */
CHECKED status evaluate_choices(struct engine *engine, const char *path,
                                const struct question_list *list, const struct progress *progress,
                                struct arena *arena, struct choice_score *score, int *picks,
                                struct diagnostic *diagnostic);

#endif
