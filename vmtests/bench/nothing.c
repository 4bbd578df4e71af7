// SPDX-License-Identifier: Apache-2.0 OR MIT
/* The program of `spawn+exec static`. */
int main(void)
{
	return 0;
}
