/*
 * main.c - where it begins.
 */
#include "filter/commands.h"

int
main(int argc, char **argv)
{
	return command_main(argc, argv);
}
