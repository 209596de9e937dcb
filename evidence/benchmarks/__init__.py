"""One script per question; each writes one record. One thread each, unless OMP_NUM_THREADS sets another number."""

from nblib.project.threads import use_one_thread

use_one_thread()
