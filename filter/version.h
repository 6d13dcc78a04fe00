/*
 * version.h - postern's version and those of the libraries that it runs with.
 */
#ifndef FILTER_VERSION_H
#define FILTER_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

#endif
