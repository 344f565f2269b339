# Front door. `make` builds; `make help` prints the menu.
BUILD ?= build
CMAKE_FLAGS ?=
JOBS ?= $(shell nproc)

.PHONY: all help setup experts demo check test asan tsan clang fuzz bench install fmt doctor clean

all: $(BUILD)/CMakeCache.txt ## build build/emsync and the libraries
	cmake --build $(BUILD) -j $(JOBS)

help: ## print this menu
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: ## install the Debian packages that are missing
	@tools/setup

$(BUILD)/CMakeCache.txt: CMakeLists.txt
	@tools/setup --check || tools/setup
	cmake -S . -B $(BUILD) $(CMAKE_FLAGS)

experts: all ## install the pretrained networks that look and listen (npm)
	@tools/experts $(BUILD)

demo: all ## install what is missing, build, score a short film, show the proof
	@tools/experts $(BUILD) || true
	@tools/demo $(BUILD)

check: all ## install what is missing, build, pass the tests
	ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

test: check

asan: ## the tests under AddressSanitizer and UBSan
	$(MAKE) check BUILD=$(BUILD)-asan CMAKE_FLAGS="--preset asan"

tsan: ## the tests under ThreadSanitizer
	$(MAKE) check BUILD=$(BUILD)-tsan CMAKE_FLAGS="--preset tsan"

clang: ## the tests, built with clang
	$(MAKE) check BUILD=$(BUILD)-clang CMAKE_FLAGS="--preset clang"

fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	@tools/fuzz $(BUILD)-fuzz

bench: all ## the measurements of docs/SPEED.md
	@bench/run $(BUILD)

install: all ## install under PREFIX (CMake's default: /usr/local)
	cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))

fmt: ## format the sources with clang-format
	git ls-files '*.c' '*.h' | xargs clang-format -i

doctor: all ## is everything there that emsync needs?
	$(BUILD)/emsync doctor

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-clang $(BUILD)-fuzz out
