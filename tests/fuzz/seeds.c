/*
 * seeds.c - runs a fuzz target over files instead of under libFuzzer: each
 * file once, and cut short in a few places.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
	static const size_t parts = 4;

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *buf = malloc(1 << 16);
		size_t n = 0;

		if (f == NULL || buf == NULL) {
			fprintf(stderr, "seeds: cannot read %s\n", argv[i]);
			return 1;
		}
		n = fread(buf, 1, 1 << 16, f);
		fclose(f);
		for (size_t part = 1; part <= parts; part++) {
			size_t size = n * part / parts;
			uint8_t *copy = malloc(size + 1);	/* of its own size, for the sanitizers */

			if (copy == NULL)
				return 1;
			for (size_t k = 0; k < size; k++)
				copy[k] = buf[k];
			LLVMFuzzerTestOneInput(copy, size);
			free(copy);
		}
		free(buf);
	}
	return 0;
}
