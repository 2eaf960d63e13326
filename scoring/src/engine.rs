//! What gives the margins of a model and their explanation: one engine for each kind.

use crate::contract::Contract;
use crate::error::LoadError;
use crate::explain::{self, Shapley};
use crate::forest::{self, Forest};
use crate::manifest::{Kind, Manifest};
use crate::reference::Reference;
use crate::stock::{self, Explains, Stock};
use domain::pd::sigmoid;
use inference::EngineError;
use inference::plan::{Answers, Plan, PlanState, Shape};

/// What gives margins and contributions.
#[derive(Debug)]
pub(crate) enum Engine {
    Scorecard(Plan),
    Net(Plan, Shapley),
    Trees(Box<Forest>),
    Graph(Box<Stock>, Explains),
}

impl Engine {
    pub(crate) fn new(
        manifest: &Manifest,
        graph: &[u8],
        contract: &Contract,
        reference: &Reference,
    ) -> Result<Self, LoadError> {
        let (said, width) = (&manifest.graph, contract.features.len());
        let shape = Shape {
            input: &said.input,
            width,
            margin: said.margin.as_deref().unwrap_or_default(),
            partials: said.partials.as_deref(),
        };
        Ok(match manifest.kind {
            Kind::Scorecard => Self::Scorecard(Plan::new(graph, shape)?),
            Kind::Net => {
                let plan = Plan::new(graph, shape)?;
                let shapley = Shapley::new(&plan, &reference.background);
                let shapley = shapley.map_err(|error| LoadError::Graph(error.to_string()))?;
                Self::Net(plan, shapley)
            }
            Kind::Trees => Self::Trees(Box::new(Forest::new(graph, said, width, reference)?)),
            Kind::Graph => {
                let mut stock = Stock::new(graph, said, &stock::words(contract))?;
                let explains = stock.explains(said.explained, reference);
                Self::Graph(Box::new(stock), explains.map_err(|error| LoadError::Graph(error.to_string()))?)
            }
        })
    }

    /// How contributions are made.
    pub(crate) fn method(&self) -> &str {
        match self {
            Self::Scorecard(_) => explain::SCORECARD,
            Self::Net(_, shapley) => shapley.method(),
            Self::Trees(_) => forest::TREESHAP,
            Self::Graph(_, Explains::Additive(_)) => stock::ADDITIVE,
            Self::Graph(_, Explains::Net(_, shapley)) => shapley.method(),
            Self::Graph(_, Explains::Walks(walks, _)) => walks.method(),
        }
    }

    /// The probability that a margin means before calibration.
    pub(crate) fn probability(&self, margin: f64) -> f64 {
        match self {
            Self::Trees(forest) => forest.probability(margin),
            Self::Graph(stock, _) => stock.probability(margin),
            Self::Scorecard(_) | Self::Net(..) => sigmoid(margin),
        }
    }

    pub(crate) fn state(&self) -> Result<Option<PlanState>, EngineError> {
        match self {
            Self::Scorecard(plan) | Self::Net(plan, _) => plan.state().map(Some),
            Self::Graph(stock, _) => stock.state().map(Some),
            Self::Trees(_) => Ok(None),
        }
    }

    pub(crate) fn run(&self, state: Option<&mut PlanState>, rows: &[f32]) -> Result<Answers, EngineError> {
        match self {
            Self::Scorecard(plan) | Self::Net(plan, _) => plan.run(state.ok_or_else(no_state)?, rows),
            Self::Trees(forest) => forest.run(rows),
            Self::Graph(stock, _) => {
                Ok(Answers { margins: stock.singles(state.ok_or_else(no_state)?, rows)?, partials: vec![] })
            }
        }
    }
}

/// A state that another model made.
pub(crate) fn no_state() -> EngineError {
    EngineError("the working memory is another model's".to_owned())
}
