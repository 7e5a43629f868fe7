/** As many flow runs as one request makes. */
export const MAX_RUNS_A_REQUEST = 1000
