"""OpenVINO GenAI measured on a GGUF file: rates of a prompt and of its generation.

usage: rival_openvino.py rates MODEL --threads N [--prompt 512] [--generate 64]

Run by the Python that install_others prints; one JSON document on standard output. The pipeline reads the file itself (it
knows Llama and Qwen2 in f16, q8_0, q4_0 and the q4_K_M mix) and tells the times: to the first token, and of each after it.
Keys and values are f16, as Hone's and llama.cpp's are; its own choice would be 8 bits. A warm-up does not count.
"""
import argparse
import json
import random
import time

import numpy
import openvino
import openvino_genai


def status_bytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def generate(pipeline, tokens, count):
    settings = openvino_genai.GenerationConfig(max_new_tokens=count, ignore_eos=True, do_sample=False)
    ids = openvino.Tensor(numpy.array([tokens], dtype=numpy.int64))
    mask = openvino.Tensor(numpy.ones((1, len(tokens)), dtype=numpy.int64))
    return pipeline.generate(openvino_genai.TokenizedInputs(ids, mask), settings).perf_metrics


def rates(options):
    before, start = status_bytes("VmRSS"), time.perf_counter()
    pipeline = openvino_genai.LLMPipeline(options.model, "CPU", INFERENCE_NUM_THREADS=options.threads, KV_CACHE_PRECISION="f16")
    load = time.perf_counter() - start
    numbers = random.Random(1)
    # Another prompt to warm up with: the pipeline remembers prompts, and would compute nothing of the same one.
    warm, tokens = ([numbers.randrange(options.vocabulary) for _ in range(options.prompt)] for _ in range(2))
    generate(pipeline, warm, 2)
    told = generate(pipeline, tokens, options.generate)
    return {"prefill_tokens_per_second": 1000 * options.prompt / told.get_ttft().mean,
            "decode_tokens_per_second": 1000 / told.get_tpot().mean, "load_seconds": load,
            "peak_memory_bytes": status_bytes("VmHWM"), "memory_before_bytes": before, "version": openvino.__version__}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("rates",))
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--vocabulary", type=int, default=32000, help="tokens of the prompt are below it")
    print(json.dumps(rates(parser.parse_args())))


main()
