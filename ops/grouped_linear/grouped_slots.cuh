// Slots sorted by expert, and the rows of x that they read.
#pragma once
#include "codegen/cuda/types.cuh"
#include "config.cuh"

constexpr int expert_count = offsets_columns - 1;

// Slot s reads row order[s] / divisor of x; 0: row s (grouped_divisor of ops/grouped.c).
constexpr int ratio = order_per_row / x_per_row;
constexpr int divisor = ratio > 1 || rows == rows_by_token ? ratio : 0;

// Of a slot that has an expert.
DEVICE int slot_row(const int *order, int slot)
{
    if constexpr (divisor > 0) return order[slot] / divisor;
    return slot;
}
