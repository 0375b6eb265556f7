"""Takes its time to import."""

import time

time.sleep(0.1)
