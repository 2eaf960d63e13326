//! How large the values of a graph may be. A few numbers of a small file can ask for more than a machine has: so the shape of
//! each value is worked out before the value is, node by node, and a graph that makes too much is refused at load.

use tract_onnx::tract_hir::internal::*;

/// Elements of one value, for a block of rows.
const MOST_ELEMENTS: usize = 1 << 24;
/// Elements of all values together.
const MOST_TOGETHER: usize = 1 << 27;

/// A graph whose inputs are set, with the types and shapes of all its values.
pub(super) fn typed(mut model: InferenceModel) -> TractResult<TypedModel> {
    measure(&mut model)?;
    let typed = model.into_typed()?;
    check_typed(&typed)?;
    Ok(typed)
}

/// Infers the facts of every node in turn. Constants are folded on the way, so each node's shapes are looked at first. What
/// cannot be inferred here is left to tract, which says why.
fn measure(model: &mut InferenceModel) -> TractResult<()> {
    for id in model.eval_order()? {
        let node = model.node(id);
        let mut op = node.op.clone();
        let outlets: Vec<OutletId> = (0..node.outputs.len()).map(|slot| OutletId::new(id, slot)).collect();
        let observed = op.observe_outlets(model, node)?;
        let facts = |outlets: &[OutletId]| -> TractResult<Vec<InferenceFact>> {
            outlets.iter().map(|outlet| model.outlet_fact(*outlet).cloned()).collect()
        };
        let known = [facts(&node.inputs)?, facts(&outlets)?, facts(&observed)?];
        check_types(&node.name, &op.name(), &known[0])?;
        let of = |at: usize| known[at].iter().collect::<TVec<_>>();
        let Ok((_, shapes, _)) = op.infer_facts(of(0), of(1), of(2)) else { continue };
        for fact in &shapes {
            check(&node.name, fact.shape.concretize().map(|shape| shape.to_vec()).unwrap_or_default().iter())?;
        }
        let Ok((_, found, _)) = op.infer(of(0), of(1), of(2)) else { continue };
        for (outlet, fact) in outlets.into_iter().zip(found) {
            model.set_outlet_fact(outlet, fact)?;
        }
    }
    Ok(())
}

/// Operators whose inputs are of one type by the standard; tract would turn one into the other's without a word.
const OF_ONE_TYPE: [&str; 8] = ["Add", "Concat", "Div", "Gemm", "MatMul", "Mul", "Sub", "Sum"];

/// Refuses floats of two sizes together.
fn check_types(name: &str, operator: &str, inputs: &[InferenceFact]) -> TractResult<()> {
    let is_of_one = OF_ONE_TYPE.iter().any(|one| operator.contains(one));
    let is_of = |wanted: DatumType| inputs.iter().any(|fact| fact.datum_type.concretize() == Some(wanted));
    ensure!(
        !(is_of_one && is_of(f32::datum_type()) && is_of(f64::datum_type())),
        "node {name} ({operator}): takes single and double precision together: export the model with one type of floats"
    );
    ensure!(
        !(operator.contains("GroupNorm") && is_of(f16::datum_type())),
        "node {name} ({operator}): takes no half precision, which it would sum in half precision too: export the model in single"
    );
    Ok(())
}

/// Looks at all values of a graph whose shapes are known.
fn check_typed(model: &TypedModel) -> TractResult<()> {
    let mut together = 0usize;
    for node in &model.nodes {
        for output in &node.outputs {
            together = together.saturating_add(check(&node.name, output.fact.shape.iter())?);
        }
    }
    ensure!(together <= MOST_TOGETHER, "its values have {together} elements together, at most {MOST_TOGETHER}");
    Ok(())
}

/// The number of elements of a shape, one for each size that is not known.
fn check<'a>(name: &str, shape: impl Iterator<Item = &'a TDim>) -> TractResult<usize> {
    let mut sizes = shape.map(|dim| dim.to_usize().unwrap_or(1));
    match sizes.try_fold(1usize, usize::checked_mul) {
        Some(elements) if elements <= MOST_ELEMENTS => Ok(elements),
        _ => bail!("node {name}: makes a value of more than {MOST_ELEMENTS} elements of a block of rows"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::tests::{answers, cells, check as check_rows, operator};

    #[test]
    fn a_shape_has_so_many_elements_and_no_more() {
        let of = |sizes: &[usize]| {
            let sizes: Vec<TDim> = sizes.iter().map(|size| TDim::from(*size)).collect();
            check("v", sizes.iter()).ok()
        };
        for (sizes, expected) in [
            (&[][..], Some(1)),
            (&[0, 1 << 40], Some(0)),
            (&[3, 4], Some(12)),
            (&[MOST_ELEMENTS], Some(MOST_ELEMENTS)),
            (&[MOST_ELEMENTS, 2], None),
            (&[1 << 40, 1 << 40], None),
        ] {
            assert_eq!(of(sizes), expected, "{sizes:?}");
        }
        let scope = SymbolScope::default();
        let open: TDim = scope.sym("N").into();
        assert_eq!(check("v", [open, 5.into()].iter()).ok(), Some(5), "one for a size that is not known");
    }

    /// The standard wants one type; the graph library would take the wider of two without a word.
    #[test]
    fn two_precisions_do_not_meet() {
        let (single, double) = (|| cells(&[2], &[1f32, 2.0]), || cells(&[2], &[3f64, 4.0]));
        for name in ["Add", "Sub", "Mul", "Div"] {
            let why = answers(operator(name), &[single(), double()]).unwrap_err();
            assert!(why.contains("node it (") && why.contains("single and double precision together"), "{name}: {why}");
            assert!(answers(operator(name), &[double(), double()]).is_ok(), "{name}");
        }
        check_rows(vec![("of one type", operator("Add"), vec![single(), single()], Ok(&[2.0, 4.0]))]);
    }
}
