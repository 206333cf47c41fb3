"""Packaging: bounds agree, importing is light, documents tell the truth."""

import ast
import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

ROOT = pathlib.Path(__file__).parents[1]


def test_conda_and_pip_have_the_same_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = [item for item in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"] if item != "pip"]
    assert f"python{project['requires-python']}" in conda
    ours = {item for item in conda if isinstance(item, str) and not item.startswith("python>")}
    assert ours == set(project["dependencies"])


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__ = "{version}"' in (ROOT / "simnn/__init__.py").read_text()
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_importing_the_package_is_light():
    heavy = "('numba', 'xarray', 'scipy')"
    rooms = "simnn.propagation, simnn.capacity, simnn.olfaction.presets, simnn.olfaction.simulate"
    program = f"import sys, {rooms}; print([n for n in {heavy} if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_dependency_has_a_reason_in_the_readme():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text()
    extras = [item for items in project["optional-dependencies"].values() for item in items]
    for requirement in project["dependencies"] + extras:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)[0]
        if name != "simnn" and "stubs" not in name and not name.startswith("types-"):
            assert f"| {name} |" in readme, name


def documented(tree):
    """Public functions, classes and methods of a module with what their docstrings should list; kernels stay inside."""
    for node in tree.body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if not public or "overload" in map(ast.unparse, node.decorator_list):
            continue
        if isinstance(node, ast.FunctionDef):
            yield node.name, node, parameters(node), returns(node)
            continue
        methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
        constructor = [name for method in methods if method.name == "__init__" for name in parameters(method)[1:]]
        # Bundles of kernels and of their arrays are described where they are made.
        bundle = "NamedTuple" in map(ast.unparse, node.bases)
        fields = [item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and not bundle]
        yield node.name, node, constructor + [name for name in fields if not name.startswith("_")], False
        for method in methods:
            if not method.name.startswith("_"):
                is_property = any("property" in ast.unparse(decorator) for decorator in method.decorator_list)
                bound = "staticmethod" not in map(ast.unparse, method.decorator_list)
                result = returns(method) and not is_property
                yield f"{node.name}.{method.name}", method, parameters(method)[bound:], result


def parameters(node):
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    starred = [(node.args.vararg, r"\*"), (node.args.kwarg, r"\*\*")]
    return [argument.arg for argument in named] + [mark + argument.arg for argument, mark in starred if argument]


def returns(node):
    return not (isinstance(node.returns, ast.Constant) and node.returns.value is None)


def test_every_public_name_documents_its_parameters_and_its_result():
    missing = []
    for path in sorted((ROOT / "simnn").rglob("*.py")):
        for name, node, arguments, result in documented(ast.parse(path.read_text())):
            text, where = ast.get_docstring(node) or "", f"{path.relative_to(ROOT)}: {name}"
            if not text:
                missing.append(where)
            if path.name == "cli.py":
                continue  # docstrings of commands are what `--help` prints
            # An entry such as "sigma_w, sigma_b : float", or "**parameters" alone.
            missing += [
                f"{where}: {argument.replace(chr(92), '')}"
                for argument in arguments
                if not re.search(rf"^(\S+, )*{argument}(, \S+)*( : .+)?$", text, re.MULTILINE)
            ]
            if arguments and not re.search(r"^(Parameters|Attributes)\n-+$", text, re.MULTILINE):
                missing.append(f"{where}: Parameters")
            if result and not re.search(r"^(Returns|Yields)\n-+$", text, re.MULTILINE):
                missing.append(f"{where}: Returns")
    assert missing == []


def test_only_three_modules_know_numba():
    known = ("device/targets.py", "device/internal.py", "device/gpu.py")
    for path in sorted((ROOT / "simnn").rglob("*.py")):
        if path.relative_to(ROOT / "simnn").as_posix() not in known:
            assert not re.search(r"^\s*(import|from) numba", path.read_text(), re.MULTILINE), path


def test_arrows_of_the_design_point_one_way():
    forbidden = {
        "device": ("capacity", "olfaction", "propagation", "studies", "pipeline", "plotting"),
        "propagation": ("capacity", "olfaction", "studies", "pipeline", "plotting"),
        "capacity": ("olfaction", "propagation", "studies", "pipeline", "plotting"),
        "olfaction": ("capacity", "propagation", "studies", "pipeline", "plotting"),
        "plotting": ("capacity", "olfaction", "propagation", "studies", "pipeline"),
        "studies": ("pipeline",),
    }
    bridges = {("olfaction/readout.py", "capacity")}  # readouts of codes are those of `capacity`, which knows no odors
    for room, others in forbidden.items():
        for path in sorted((ROOT / "simnn" / room).rglob("*.py")):
            for other in others:
                if (path.relative_to(ROOT / "simnn").as_posix(), other) in bridges:
                    continue
                assert f"simnn.{other}" not in re.sub(r"`[^`]*`", "", path.read_text()), f"{path} knows {other}"
    names = ("theory.py", "expectations.py", "finite_width.py", "dead_units.py", "linear_products.py")
    others = ("capacity/theory.py", "olfaction/theory.py", "olfaction/drive_pairs.py")
    for name in (*(f"propagation/{name}" for name in names), *others):
        text = (ROOT / "simnn" / name).read_text()
        assert "simnn.device" not in text
        assert "kernels" not in re.findall(r"^(?:from|import) .*$", text, re.MULTILINE)
